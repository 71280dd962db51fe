export const HELP = `metertap: billable usage from browsers, Node, Workers and Electron, delivered once

Usage
  metertap init [--framework vanilla|react|node|worker|electron] [--dry-run]
  metertap dev-upstream [--config relay.config.ts]
  metertap relay [--config relay.config.ts] [--port 8787] [--admin-port 8788] [--log plain|json] [--workers 1]
  metertap relay check [--config relay.config.ts]
  metertap relay backup FILE [--config relay.config.ts]
  metertap relay verify [FILE] [--config relay.config.ts]
  metertap relay migrate [--config relay.config.ts]
  metertap relay copy --from sqlite:FILE --to postgres[://…] [--schema metertap]
  metertap meters [--config relay.config.ts]
  metertap explain [CODE]

Commands
  init             Write meters.ts, relay.config.ts and .env.relay with fresh secrets into this folder, and print the
                   lines for your front end. Never overwrites a file.
  dev-upstream     Run a stand-in for Zuora Mediation, for development: it listens where the configuration's upstream
                   is (http://127.0.0.1), keeps everything in memory, bills nobody, and prints what it takes.
  relay            Run the relay: it takes usage from agents and forwards it to Zuora Mediation.
  relay check      Test the configuration, the store's folder, the upstream's credentials and the session issuers'
                   keys. Sends no event.
  relay backup     Copy the relay's store to a new file, while the relay works on. The copy holds all secrets.
  relay verify     Check the store, or a backup's FILE: every event that was taken is there once, and the counts agree.
  relay migrate    Bring a PostgreSQL store to this version, before relays of this version start.
  relay copy       Move a stopped relay's SQLite store into an empty PostgreSQL database. What was interrupted goes on
                   when it is started again. Without an address it is METERTAP_POSTGRES_URL.
  meters           Print, for each meter, what to set up in Zuora: the event definition and the Deduplicator.
  explain          Say what an error code means and what to do; without CODE, list them all.

Options
  -c, --config     File whose default export is the configuration (.ts, .mts, .js, .mjs). Default relay.config.ts.
  -e, --env        File with variables, NAME=value in each line, such as .env.relay; variables that are set already win.
  -p, --port       Port to listen on; overrides listen.port. 0 takes a free one.
      --admin-port Port of the operator's API; overrides admin.listen.port. 0 takes a free one.
      --workers    So many relay processes on one port, for the cores of a machine. Needs a PostgreSQL store. Default 1.
      --log        plain (default) or json: one line or one JSON object per log entry, on standard error.
      --framework  What the lines of init are for. Default vanilla.
      --dry-run    Say what init would do, and do nothing.
  -h, --help       Show this text.
  -v, --version    Show the version.

Signals
  SIGTERM, SIGINT  Finish what is open, then exit with 0. A second one exits at once.
`
