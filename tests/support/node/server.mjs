// Serves one Supabase look-alike a database, at /DATABASE/rest/v1/…, on the Postgres that the test started.
//
//   node server.mjs PORT POSTGRES_URL_WITHOUT_DATABASE KEYS
//
// GET /DATABASE/reload forgets what it knows of a database's schema, which PostgREST does at `notify pgrst`.
// KEYS is JSON, {"<key>": "<role>", …}: what each API key may be. Prints "ready" once it listens.
import { serve } from "@hono/node-server";
import { App } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";

const [port, postgres, keys] = [Number(process.argv[2]), process.argv[3], JSON.parse(process.argv[4])];
const apps = new Map();

const resolver = async (key) =>
  keys[key] === undefined ? null : { type: "secret", claims: { role: keys[key] } };

function appOf(database) {
  if (!apps.has(database)) {
    const connection = createPostgresConnection({
      url: `${postgres}/${database}`,
      postgresOptions: { max: 2, onnotice: () => {} },
    });
    apps.set(database, new App({ connection, options: { server: { apiKeys: { resolver } } } }));
  }
  return apps.get(database);
}

async function answer(request, env) {
  const url = new URL(request.url);
  const [, database, ...rest] = url.pathname.split("/");
  if (rest[0] === "reload") {
    apps.delete(database);
    return new Response(null, { status: 204 });
  }
  url.pathname = `/${rest.join("/")}`;
  const inner = new Request(url, request);
  return appOf(database).fetch(inner, { peerAddress: env.incoming.socket.remoteAddress ?? null });
}

serve({ port, hostname: "127.0.0.1", fetch: answer }, () => {
  // A connection that Postgres cut while nobody waited on it ends up here; PostgREST outlives that too.
  process.on("uncaughtException", (error) => console.error("uncaught", error));
  process.on("unhandledRejection", (error) => console.error("unhandled", error));
  console.log("ready");
});
