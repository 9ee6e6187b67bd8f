SELECT hour, database, archive FROM disk_use WHERE hour > now() - interval '7 days' ORDER BY hour
