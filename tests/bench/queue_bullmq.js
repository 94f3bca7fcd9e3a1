/* BullMQ as a contestant (turn.h); NODE_PATH leads to it:
 *
 *     queue_bullmq.js SOCKET push BATCH COUNT   adds that many jobs, BATCH at a time
 *     queue_bullmq.js SOCKET drain BATCH        handles all that waits, BATCH at a time; keeps no finished job
 */
'use strict';
const { Queue, Worker } = require('bullmq');

const [socket, verb, batch, count] = process.argv.slice(2).map((word, i) => (i < 2 ? word : Number(word)));
const connection = { path: socket, maxRetriesPerRequest: null };

const now = () => Number(process.hrtime.bigint());

function begin() {
    console.log('ready');
    return new Promise((go) => process.stdin.once('data', () => go(now())));
}

function report(handled, start, end) {
    console.log(JSON.stringify({ count: handled, start, end }));
}

function jobs(first) {
    return Array.from({ length: batch }, (_, i) => ({
        name: 'event',
        data: { key: `event:${first + i}` },
        opts: { removeOnComplete: true },
    }));
}

async function push() {
    const queue = new Queue('Q', { connection });
    await queue.waitUntilReady();
    const start = await begin();
    for (let done = 0; done < count; done += batch) {
        await queue.addBulk(jobs(1000000 + done));
    }
    report(count, start, now());
    await queue.close();
}

async function drain() {
    const worker = new Worker('Q', async () => null, { connection, concurrency: batch, autorun: false });
    await worker.waitUntilReady();
    let handled = 0;
    let end = 0;
    worker.on('completed', () => {
        handled += 1;
        end = now();
    });
    const drained = new Promise((resolve) => worker.once('drained', resolve));
    const start = await begin();
    worker.run();
    await drained;
    await worker.close();
    report(handled, start, end);
}

(verb === 'push' ? push() : drain()).then(() => process.exit(0));
