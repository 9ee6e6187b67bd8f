-- What still rests in the ledger is over with the bot.
WITH gone AS (
  UPDATE orders SET status = 'cancelled', reason = 'the bot was deleted', updated_at = now()
  WHERE bot = $1 AND status IN ('planned', 'sent', 'open', 'partly', 'unknown')
)
UPDATE bots SET deleted = true, status = 'stopped', wanted = 'stopped', updated_at = now() WHERE name = $1
