"""The dashboard: Dash pages in Mantine's dark theme on the API's application; what ticks is drawn by the scripts in
`assets` from the API's own stream. Knows the desk, the domain, Dash and Plotly; it does not know the API's code."""
