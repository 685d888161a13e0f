// What programs do with node-redis, against the server on the port given: `everyday.mjs PORT`, with the package `redis`
// in a node_modules above. Each function is one way to use a server. All run once a protocol.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

// The packages are in the directory the script is started in, not beside the script.
const { createClient, WatchError } = createRequire(`${process.cwd()}/`)("redis");

const PORT = Number(process.argv[2]);
const PATIENCE = 30_000;

// Polls until `condition` holds: nothing here sleeps for luck.
async function until(what, condition) {
  const deadline = Date.now() + PATIENCE;
  while (!(await condition())) {
    assert(Date.now() < deadline, `waited in vain until ${what}`);
    await sleep(2);
  }
}

const blocked = async (client, count) =>
  until("somebody waits", async () => (await client.info("clients")).includes(`blocked_clients:${count}\r\n`));

async function stringsAndExpiry({ client }) {
  assert.equal(await client.set("greeting", "hello", { EX: 100 }), "OK");
  assert.equal(await client.get("greeting"), "hello");
  assert((await client.ttl("greeting")) > 90);
  assert.equal(await client.set("greeting", "x", { NX: true }), null);
  assert.equal(await client.incrBy("counter", 42), 42);
  assert.deepEqual(await client.mGet(["greeting", "none"]), ["hello", null]);
  assert.equal(await client.getDel("greeting"), "hello");
  await client.set("brief", "x", { PX: 15 });
  await until("the key expires", async () => (await client.exists("brief")) === 0);
  await assert.rejects(client.lPush("counter", "x"), /WRONGTYPE/);
}

async function pipelines({ client }) {
  const sets = Array.from({ length: 5000 }, (_, n) => client.set(`key:${n}`, String(n)));
  assert((await Promise.all(sets)).every((reply) => reply === "OK"));
  const seen = new Set();
  for await (const keys of client.scanIterator({ MATCH: "key:*", COUNT: 100 })) {
    for (const key of [keys].flat()) seen.add(key);
  }
  assert.equal(seen.size, 5000);
  assert.deepEqual(await client.multi().incr("n").incr("n").execAsPipeline(), [1, 2]);
}

async function transactions({ client, connect }) {
  const other = await connect();
  await client.set("stock", "5");
  let attempts = 0;
  for (;;) {
    attempts += 1;
    await client.watch("stock");
    const left = Number(await client.get("stock"));
    if (attempts === 1) await other.decr("stock");
    try {
      assert.deepEqual(await client.multi().set("stock", String(left - 1)).rPush("orders", "one").exec(), ["OK", 1]);
      break;
    } catch (error) {
      assert(error instanceof WatchError);
    }
  }
  assert.equal(attempts, 2);
  assert.equal(await client.get("stock"), "3");
  await assert.rejects(client.multi().set("text", "x").lPush("text", "x").exec());
  assert.equal(await client.get("text"), "x");
}

async function publishAndSubscribe({ client, connect }) {
  const listener = await connect();
  const heard = [];
  await listener.subscribe("news", (message, channel) => heard.push(["channel", channel, message]));
  await listener.pSubscribe("n?ws*", (message, channel) => heard.push(["pattern", channel, message]));
  await listener.sSubscribe("orders", (message, channel) => heard.push(["shard", channel, message]));
  assert.equal(await client.publish("news", "hello"), 2);
  assert.equal(await client.sPublish("orders", "42"), 1);
  await until("all arrive", () => heard.length === 3);
  assert.deepEqual(heard, [["channel", "news", "hello"], ["pattern", "news", "hello"], ["shard", "orders", "42"]]);
  assert.deepEqual(await client.pubSubChannels(), ["news"]);
  assert.equal(await client.pubSubNumPat(), 1);
  await listener.unsubscribe("news");
  assert.equal(await client.publish("news", "again"), 1);
  await client.configSet("notify-keyspace-events", "Ex");
  await listener.pSubscribe("__keyevent@0__:expired", (key) => heard.push(["expired", key]));
  await client.set("noted", "x", { PX: 15 });
  await until("it is told", () => heard.some(([kind, key]) => kind === "expired" && key === "noted"));
  await client.configSet("notify-keyspace-events", "");
}

async function streams({ client, connect }) {
  const worker = await connect();
  const first = await client.xAdd("events", "*", { kind: "login", who: "ada" });
  await client.xAdd("events", "*", { kind: "logout" });
  assert.equal(await client.xLen("events"), 2);
  assert.equal((await client.xRange("events", "-", "+"))[0].message.who, "ada");
  await client.xGroupCreate("events", "workers", "0");
  await client.xGroupCreate("jobs", "workers", "$", { MKSTREAM: true });
  const ids = (reply) => {
    const streams = Array.isArray(reply) ? reply.map(({ messages }) => messages) : Object.values(reply);
    return streams.flat().map(({ id }) => id);
  };
  const taken = ids(await client.xReadGroup("workers", "alice", { key: "events", id: ">" }, { COUNT: 10 }));
  assert.equal(taken.length, 2);
  assert.equal(await client.xAck("events", "workers", first), 1);
  const pending = await client.xPending("events", "workers");
  assert.equal(pending.pending, 1);
  const [entry] = await client.xPendingRange("events", "workers", "-", "+", 10);
  assert.equal(entry.consumer, "alice");
  const [claimed] = await client.xClaim("events", "workers", "bob", 0, entry.id);
  assert.equal(claimed.message.kind, "logout");
  assert.equal((await client.xAutoClaim("events", "workers", "carol", 0, "0-0")).messages[0].id, entry.id);
  assert.equal((await client.xInfoGroups("events"))[0].pending, 1);
  assert.equal((await client.xInfoStream("events")).length, 2);
  const waiting = worker.xReadGroup("workers", "dave", { key: "jobs", id: ">" }, { BLOCK: PATIENCE });
  await blocked(client, 1);
  const job = await client.xAdd("jobs", "*", { n: "1" });
  assert.deepEqual(ids(await waiting), [job]);
  assert.equal(await client.xReadGroup("workers", "dave", { key: "jobs", id: ">" }, { BLOCK: 5 }), null);
}

async function blockingPops({ client, connect }) {
  const worker = await connect();
  const popped = worker.blPop(["q1", "q2"], PATIENCE / 1000);
  await blocked(client, 1);
  await client.rPush("q2", "job");
  assert.deepEqual({ ...(await popped) }, { key: "q2", element: "job" });
  const best = worker.bzPopMax("scores", PATIENCE / 1000);
  await blocked(client, 1);
  await client.zAdd("scores", { score: 1.5, value: "a" });
  assert.deepEqual({ ...(await best) }, { key: "scores", value: "a", score: 1.5 });
  const moved = worker.blMove("from", "to", "LEFT", "RIGHT", PATIENCE / 1000);
  await blocked(client, 1);
  await client.rPush("from", "x");
  assert.equal(await moved, "x");
  assert.equal(await worker.blPop("nothing", 0.01), null);
}

async function collections({ client }) {
  assert.equal(await client.hSet("user", { name: "ada", born: 1815 }), 2);
  assert.deepEqual({ ...(await client.hGetAll("user")) }, { name: "ada", born: "1815" });
  await client.hSet("big", Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`field:${n}`, String(n)])));
  const fields = new Map();
  for await (const some of client.hScanIterator("big", { MATCH: "field:*" })) {
    for (const { field, value } of [some].flat()) fields.set(field, value);
  }
  assert.equal(fields.size, 1000);
  assert.equal(fields.get("field:7"), "7");
  await client.sAdd("tags", Array.from({ length: 1000 }, (_, n) => String(n)));
  let members = 0;
  for await (const some of client.sScanIterator("tags")) members += [some].flat().length;
  assert(members >= 1000);
  await client.zAdd("board", Array.from({ length: 1000 }, (_, n) => ({ score: n, value: `p${n}` })));
  assert.deepEqual(await client.zRange("board", 0, 1, { REV: true }), ["p999", "p998"]);
  const [lowest] = await client.zRangeWithScores("board", 0, 0);
  assert.deepEqual({ ...lowest }, { value: "p0", score: 0 });
  assert.equal(await client.zIncrBy("board", 0.5, "p10"), 10.5);
  await client.rPush("list", ["a", "b", "c"]);
  assert.deepEqual(await client.lRange("list", 0, -1), ["a", "b", "c"]);
  assert.deepEqual(await client.sort("tags", { LIMIT: { offset: 0, count: 2 }, DIRECTION: "DESC" }), ["999", "998"]);
  assert.equal(await client.sortStore("list", "sorted", { ALPHA: true, DIRECTION: "DESC" }), 3);
  assert.deepEqual(await client.lRange("sorted", 0, 0), ["c"]);
  await client.geoAdd("sicily", [
    { longitude: 13.361389, latitude: 38.115556, member: "Palermo" },
    { longitude: 15.087269, latitude: 37.502669, member: "Catania" },
  ]);
  assert.equal(Math.round(await client.geoDist("sicily", "Palermo", "Catania", "km")), 166);
  const near = await client.geoSearch("sicily", { longitude: 15, latitude: 37 }, { radius: 100, unit: "km" });
  assert.deepEqual(near, ["Catania"]);
  await client.pfAdd("visitors", ["a", "b", "c"]);
  assert.equal(await client.pfCount("visitors"), 3);
  await client.pfAdd("others", ["c", "d"]);
  assert.equal(await client.pfMerge("all", ["visitors", "others"]), "OK");
  assert.equal(await client.pfCount("all"), 4);
  await client.setBit("bits", 7, 1);
  assert.equal(await client.bitCount("bits"), 1);
  const field = [{ operation: "INCRBY", encoding: "u8", offset: 0, increment: 10 }];
  assert.deepEqual(await client.bitField("counters", field), [10]);
}

// Client-side caching: what is cached is not asked again, until somebody changes it.
async function caches({ client, connect }) {
  const cached = await connect({ clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: "LRU" } });
  const gets = async () => (await client.info("commandstats")).match(/cmdstat_get:calls=(\d+)/)?.[1];
  await client.set("cached", "one");
  assert.equal(await cached.get("cached"), "one");
  const before = await gets();
  assert.equal(await cached.get("cached"), "one");
  assert.equal(await gets(), before, "it came from the cache");
  await client.set("cached", "two");
  await until("the invalidation arrives", async () => (await cached.get("cached")) === "two");
  await client.flushAll();
  await until("the invalidation arrives", async () => (await cached.get("cached")) === null);
}

async function run(protocol) {
  const scripts = [
    stringsAndExpiry,
    pipelines,
    transactions,
    publishAndSubscribe,
    streams,
    blockingPops,
    collections,
  ];
  // Invalidations are pushes, which only RESP3 has.
  if (protocol === 3) scripts.push(caches);
  for (const script of scripts) {
    const clients = [];
    const connect = async (options = {}) => {
      const client = createClient({ socket: { port: PORT, host: "127.0.0.1" }, RESP: protocol, ...options });
      client.on("error", (error) => console.error(error));
      clients.push(client);
      return client.connect();
    };
    const client = await connect();
    await client.flushAll();
    try {
      await script({ client, connect });
    } catch (error) {
      console.error(`${script.name} with RESP${protocol} fails`);
      throw error;
    }
    for (const client of clients) client.destroy();
    console.log(`ok: ${script.name} with RESP${protocol}`);
  }
}

for (const protocol of [2, 3]) await run(protocol);
