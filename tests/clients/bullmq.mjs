// What programs do with BullMQ, against the server on the port given: `bullmq.mjs PORT`. Queues live in scripts in Lua there,
// which call each other's commands, pack arguments with cmsgpack and keep times in sorted sets. Each function is one way to
// use queues.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

// The packages are in the directory the script is started in, not beside the script.
const require = createRequire(`${process.cwd()}/`);
const { DelayedError, FlowProducer, Job, Queue, QueueEvents, UnrecoverableError, WaitingChildrenError, Worker } =
  require("bullmq");

const connection = { host: "127.0.0.1", port: Number(process.argv[2]), maxRetriesPerRequest: null };
const PATIENCE = 30_000;

// Polls until `condition` holds: nothing here sleeps for luck.
async function until(what, condition) {
  const deadline = Date.now() + PATIENCE;
  while (!(await condition())) {
    assert(Date.now() < deadline, `waited in vain until ${what}`);
    await sleep(5);
  }
}

const counts = async (queue, ...states) => Object.values(await queue.getJobCounts(...states));
const stateOf = async (queue, job) => (await Job.fromId(queue, job.id)).getState();

async function jobsAndTheirResults({ queue, worker, events }) {
  const jobs = queue("plain");
  const heard = await events("plain");
  const progress = new Set();
  heard.on("progress", ({ jobId }) => progress.add(jobId));
  await jobs.setGlobalConcurrency(3);
  const added = await jobs.addBulk(
    Array.from({ length: 50 }, (_, n) => ({ name: "double", data: { n, text: "žluťoučký 🐎" } })),
  );
  assert.deepEqual(await counts(jobs, "waiting", "active", "completed"), [50, 0, 0]);
  let [now, most] = [0, 0];
  worker("plain", { concurrency: 8, metrics: { maxDataPoints: 10 } }, async (job) => {
    most = Math.max(most, ++now);
    await job.updateProgress(50);
    await job.log(`at ${job.id}`);
    await job.updateData({ ...job.data, seen: true });
    now -= 1;
    return { twice: 2 * job.data.n, large: "x".repeat(100 * job.data.n) };
  });
  const results = await Promise.all(added.map((job) => job.waitUntilFinished(heard, PATIENCE)));
  assert.deepEqual(results.map(({ twice, large }) => [twice, large.length]), added.map((_, n) => [2 * n, 100 * n]));
  assert(most <= 3, `${most} at a time`);
  assert.deepEqual((await Job.fromId(jobs, added[7].id)).data, { n: 7, text: "žluťoučký 🐎", seen: true });
  assert.deepEqual(await jobs.getJobLogs(added[7].id), { logs: [`at ${added[7].id}`], count: 1 });
  assert.equal((await jobs.getMetrics("completed")).meta.count, 50);
  await until("every progress is told", () => progress.size === 50);
  assert.equal((await jobs.getWorkers()).length, 1);
  assert.equal((await jobs.clean(0, 20, "completed")).length, 20);
  assert.deepEqual(await counts(jobs, "completed"), [30]);
}

async function failures({ queue, worker, events }) {
  const jobs = queue("failing");
  const heard = await events("failing");
  worker("failing", { concurrency: 2 }, async (job) => {
    if (job.data.failures > job.attemptsMade) throw new Error("not yet");
    return job.attemptsMade;
  });
  const fixed = { attempts: 4, backoff: { type: "exponential", delay: 5 } };
  assert.equal(await (await jobs.add("late", { failures: 3 }, fixed)).waitUntilFinished(heard, PATIENCE), 3);
  const hopeless = await jobs.add("never", { failures: 99 }, { attempts: 2 });
  await assert.rejects(hopeless.waitUntilFinished(heard, PATIENCE), /not yet/);
  assert.equal((await Job.fromId(jobs, hopeless.id)).stacktrace.length, 2);
  await jobs.retryJobs({ state: "failed" });
  await until("it has failed again", async () => (await Job.fromId(jobs, hopeless.id)).attemptsMade > 2);
  await until("it is where failed jobs are", async () => (await stateOf(jobs, hopeless)) === "failed");
  assert.equal(await jobs.remove(hopeless.id), 1);
  assert.deepEqual(await counts(jobs, "completed", "failed"), [1, 0]);
}

async function prioritiesAndDelays({ queue, worker }) {
  const jobs = queue("ordered");
  const added = [];
  for (const [n, priority] of [5, 1, 5, 2, 0, 2_097_151].entries()) {
    added.push(await jobs.add("prioritized", { n }, { priority }));
  }
  await jobs.add("last in", { n: 6 }, { lifo: true });
  await jobs.add("soon", { n: 7 }, { delay: 300 });
  const [promoted, hurried] = await jobs.addBulk([8, 9].map((n) => ({ name: "late", data: { n }, opts: { delay: 1e7 } })));
  assert.deepEqual(await jobs.getCountsPerPriority([0, 1, 2, 5]), { 0: 2, 1: 1, 2: 1, 5: 2 });
  assert.deepEqual(await counts(jobs, "waiting", "prioritized", "delayed"), [2, 5, 3]);
  await added[1].changePriority({ priority: 100 });
  await promoted.promote();
  await hurried.changeDelay(600);
  const order = [];
  worker("ordered", {}, async (job) => void order.push(job.data.n));
  await until("all are done", () => order.length === 10);
  const early = order.slice(0, 8);
  assert.deepEqual(order.slice(8), [7, 9]);
  assert(early.indexOf(6) < early.indexOf(4), `last in, first out: ${early}`);
  assert.deepEqual(early.filter((n) => n < 4 || n === 5), [3, 0, 2, 1, 5]);
}

async function sameJobsTwice({ queue }) {
  const jobs = queue("unique");
  assert.equal((await jobs.add("one", {}, { jobId: "mine" })).id, (await jobs.add("two", {}, { jobId: "mine" })).id);
  assert.equal(await jobs.count(), 1);
  const once = { deduplication: { id: "key", ttl: 60_000 } };
  const first = await jobs.add("one", {}, once);
  assert.equal((await jobs.add("two", {}, once)).id, first.id);
  assert.equal(await jobs.getDeduplicationJobId("key"), first.id);
  assert.equal(await jobs.removeDeduplicationKey("key"), 1);
  assert.notEqual((await jobs.add("three", {}, once)).id, first.id);
  const newest = { delay: 60_000, deduplication: { id: "other", ttl: 60_000, extend: true, replace: true } };
  await jobs.add("old", { n: 1 }, newest);
  await jobs.add("new", { n: 2 }, newest);
  assert.deepEqual((await jobs.getDelayed()).map((job) => job.data.n), [2]);
  await jobs.drain(true);
  assert.equal(await jobs.count(), 0);
}

async function schedules({ queue, worker }) {
  const jobs = queue("scheduled");
  await jobs.upsertJobScheduler("hourly", { every: 3_600_000 }, { name: "tick", data: { n: 1 } });
  await jobs.upsertJobScheduler("nightly", { pattern: "0 0 3 * * *", tz: "Europe/Prague" }, { name: "nightly" });
  await jobs.upsertJobScheduler("nightly", { pattern: "0 0 4 * * *", tz: "Europe/Prague" }, { name: "nightly" });
  const all = async () => (await jobs.getJobSchedulers()).map(({ key, every, pattern }) => [key, every ?? pattern]).sort();
  assert.deepEqual(await all(), [["hourly", 3_600_000], ["nightly", "0 0 4 * * *"]]);
  assert.equal(await jobs.removeJobScheduler("hourly"), true);
  await jobs.upsertJobScheduler("often", { every: 50 }, { name: "tick", data: { n: 2 } });
  let ticks = 0;
  worker("scheduled", {}, async (job) => void (ticks += job.data.n === 2));
  await until("it has ticked some times", () => ticks >= 3);
  assert.equal(await jobs.removeJobScheduler("nightly"), true);
  assert.equal(await jobs.removeJobScheduler("nightly"), false);
}

async function flows({ queue, worker, flow }) {
  const [parents, children] = [queue("parents"), queue("children")];
  const child = (n, opts = {}) => ({ name: "child", queueName: "children", data: { n }, opts });
  const tree = (name, children) => flow.add({ name, queueName: "parents", children });
  const family = await tree("family", [
    child(1),
    child(2, { priority: 2 }),
    { ...child(3, { delay: 20 }), children: [child(30)] },
    child(-1, { ignoreDependencyOnFailure: true }),
  ]);
  const doomed = await tree("doomed", [child(-1, { failParentOnFailure: true })]);
  const careless = await tree("careless", [child(-1, { removeDependencyOnFailure: true })]);
  assert.equal(await family.job.getState(), "waiting-children");
  const unprocessed = { processed: 0, unprocessed: 4, ignored: 0, failed: 0 };
  assert.deepEqual({ ...(await family.job.getDependenciesCount()) }, unprocessed);
  assert.equal((await flow.getFlow({ id: family.job.id, queueName: "parents" })).children.length, 4);
  worker("children", { concurrency: 3 }, async (job) => {
    if (job.data.n < 0) throw new UnrecoverableError("a bad child");
    return 10 * job.data.n + Object.values(await job.getChildrenValues()).reduce((sum, value) => sum + value, 0);
  });
  worker("parents", {}, async (job) => Object.values(await job.getChildrenValues()).sort((a, b) => a - b));
  await until("the families are through", async () => (await counts(parents, "waiting-children", "waiting", "active"))
    .every((count) => count === 0));
  const result = async ({ job }) => (await Job.fromId(parents, job.id)).returnvalue;
  assert.deepEqual(await result(family), [10, 20, 330]);
  assert.deepEqual(await result(careless), []);
  assert.equal(await stateOf(parents, doomed.job), "failed");
  const removed = await tree("removed", [child(4, { delay: 60_000 })]);
  assert.equal(await parents.remove(removed.job.id), 1);
  assert.deepEqual(await counts(children, "delayed"), [0]);
}

async function jobsInSteps({ queue, worker, events }) {
  const [steps, kids] = [queue("steps"), queue("kids")];
  worker("kids", {}, async () => "kid");
  worker("steps", {}, async (job, token) => {
    if (job.data.step === 0) {
      await job.updateData({ step: 1 });
      await job.moveToDelayed(Date.now() + 20, token);
      throw new DelayedError();
    }
    if (job.data.step === 1) {
      await kids.add("kid", {}, { parent: { id: job.id, queue: job.queueQualifiedName } });
      await job.updateData({ step: 2 });
      if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
    }
    return Object.values(await job.getChildrenValues());
  });
  const job = await steps.add("steps", { step: 0 });
  assert.deepEqual(await job.waitUntilFinished(await events("steps"), PATIENCE), ["kid"]);
}

async function limits({ queue, worker }) {
  const jobs = queue("limited");
  const at = [];
  worker("limited", { concurrency: 4, limiter: { max: 2, duration: 150 } }, async () => void at.push(Date.now()));
  await jobs.addBulk(Array.from({ length: 6 }, () => ({ name: "limited", data: {} })));
  await until("they are done", () => at.length === 6);
  assert(at[5] - at[0] >= 250, `two in 150 ms: ${at.map((time) => time - at[0])}`);
}

async function lostWorkers({ queue, worker }) {
  const jobs = queue("lost");
  await jobs.add("lost", {});
  const lost = worker("lost", { lockDuration: 100, autorun: false }, null);
  const job = await lost.getNextJob("token");
  assert.equal(await job.extendLock("token", 100), 1);
  assert.equal(await job.extendLock("another", 100), 0);
  const stalled = [];
  worker("lost", { stalledInterval: 50, maxStalledCount: 2 }, async () => 1).on("stalled", (id) => stalled.push(id));
  await until("another has done it", async () => (await counts(jobs, "completed"))[0] === 1);
  assert.deepEqual(stalled, [job.id]);
  await assert.rejects(job.moveToCompleted(1, "token"), /lock/);
  await jobs.pause();
  await jobs.add("waits", {});
  assert.equal(await jobs.isPaused(), true);
  assert.deepEqual(await counts(jobs, "completed", "active"), [1, 0]);
  await jobs.resume();
  await until("it goes on", async () => (await counts(jobs, "completed"))[0] === 2);
}

async function many({ queue, worker }) {
  const jobs = queue("many", { defaultJobOptions: { removeOnComplete: { count: 100 }, removeOnFail: true } });
  let done = 0;
  const bulk = Array.from({ length: 500 }, (_, n) => ({ name: "many", data: { n, pad: "p".repeat(200) } }));
  for (let round = 0; round < 4; round += 1) await jobs.addBulk(bulk);
  worker("many", { concurrency: 50 }, async (job) => {
    done += 1;
    if (job.data.n % 7 === 0) throw new Error("seven");
  });
  await until("all are done", async () => done === 2000 && (await counts(jobs, "active"))[0] === 0);
  assert.deepEqual(await counts(jobs, "waiting", "completed", "failed"), [0, 100, 0]);
}

const scripts = [
  jobsAndTheirResults,
  failures,
  prioritiesAndDelays,
  sameJobsTwice,
  schedules,
  flows,
  jobsInSteps,
  limits,
  lostWorkers,
  many,
];
for (const script of scripts) {
  const [queues, others] = [[], []];
  const kept = (list, made) => {
    made.on("error", (error) => console.error(error));
    list.push(made);
    return made;
  };
  const flow = kept(others, new FlowProducer({ connection }));
  try {
    await script({
      flow,
      queue: (name, options = {}) => kept(queues, new Queue(name, { connection, ...options })),
      worker: (name, options, work) => kept(others, new Worker(name, work, { connection, ...options })),
      events: async (name) => {
        // From the beginning: what is told before the reader waits must not be missed.
        const events = kept(others, new QueueEvents(name, { connection, lastEventId: "0-0" }));
        await events.waitUntilReady();
        return events;
      },
    });
  } catch (error) {
    console.error(`${script.name} fails`);
    throw error;
  }
  for (const made of others) await made.close();
  for (const made of queues) {
    await made.obliterate({ force: true });
    await made.close();
  }
  console.log(`ok: ${script.name}`);
}
process.exit(0);
