'use strict';
// The status page: asks status.json every two seconds and shows it. All text goes through text nodes, so that no key of
// a document can become markup. What is drawn is compared with what stands there, so focus and open details stay.

const EVERY_MS = 2000, SVG = 'http://www.w3.org/2000/svg';
let shown = null, before = null, failedSince = 0, token = '', note = '';

// ---- drawing ----

const h = (tag, attributes, ...children) => ({ tag, attributes: attributes || {}, children: children.flat(9).filter(c => c !== null && c !== undefined && c !== false) });

function create(what, svg) {
  if (typeof what !== 'object') return document.createTextNode(what);
  const inSvg = svg || what.tag === 'svg';
  const node = inSvg ? document.createElementNS(SVG, what.tag) : document.createElement(what.tag);
  return update(node, what, inSvg);
}

function update(node, what, svg) {
  for (const name of node.getAttributeNames())
    if (!(name in what.attributes) && name !== 'open') node.removeAttribute(name);
  for (const [name, value] of Object.entries(what.attributes)) {
    if (typeof value === 'function') node[name] = value;
    else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
  patch(node, what.children, svg);
  return node;
}

function patch(parent, children, svg) {
  children.forEach((what, i) => {
    const node = parent.childNodes[i];
    if (!node) parent.appendChild(create(what, svg));
    else if (typeof what !== 'object' && node.nodeType === Node.TEXT_NODE) { if (node.data !== String(what)) node.data = what; }
    else if (typeof what === 'object' && node.nodeType === Node.ELEMENT_NODE && node.localName === what.tag) update(node, what, svg);
    else parent.replaceChild(create(what, svg), node);
  });
  while (parent.childNodes.length > children.length) parent.lastChild.remove();
}

const draw = (id, ...children) => patch(document.getElementById(id), h('', null, ...children).children);

// ---- numbers ----

const count = n => Math.round(n).toLocaleString('en');
const many = (n, one, more) => `${count(n)} ${n === 1 ? one : more || one + 's'}`;
const decimal = n => n >= 10 ? count(n) : String(Math.round(n * 10) / 10);
const rate = n => decimal(n) + '/s';

function seconds(s) {
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;
}

function bytes(n) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  for (; n >= 1024 && i < 4; i++) n /= 1024;
  return `${i && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

const ago = s => typeof s === 'number' ? `${seconds(Math.max(s, 0))} ago` : 'never';
const known = n => typeof n === 'number';

// ---- what it means ----

const ownFleet = s => s.fleets.find(f => f.fleet === s.worker.fleet);

function judge(s) {
  const fleet = ownFleet(s), reasons = s.reasons.length;
  if (failedSince) return ['bad', '✕', 'No answer', `This worker has not answered for ${seconds((Date.now() - failedSince) / 1000)}; what stands below is old.`];
  if (!s.worker.ready) return ['bad', '✕', 'Not ready', s.worker.says];
  if (s.errors.length) return ['bad', '✕', 'Not all answers', s.errors.join('; ')];
  if (reasons) return ['bad', '▲', 'Needs a person', `${many(reasons, 'thing')} below; ${fleet ? fleet.verdict.replace('needs a person; ', '') : 'nothing is known of the fleet'}.`];
  if (!fleet) return ['warn', '…', 'Nothing is known yet', s.worker.says];
  if (fleet.lag_changes > 0 && fleet.lag_seconds < 5) return ['good', '✓', 'Keeping up', `The fleet is ${fleet.verdict}.`];
  if (fleet.lag_changes > 0) return ['warn', '◔', 'Behind', `The fleet is ${fleet.verdict}.`];
  if (fleet.backfills.length) return ['warn', '◔', 'Being filled', fleet.verdict];
  return ['good', '✓', 'In step', 'Every change is applied.'];
}

function rates(s) {
  const per = (before && before.changelog && s.changelog) ? (s.looked_at_ms - before.looked_at_ms) / 1000 : 0;
  const found = { written: null, queues: {} };
  if (per <= 0) return found;
  found.written = Math.max(0, s.changelog.last_seq - before.changelog.last_seq) / per;
  for (const queue of s.queues) {
    const then = before.queues.find(q => q.queue === queue.queue);
    if (then) found.queues[queue.queue] = { queued: (queue.queued - then.queued) / per, acked: (queue.acked - then.acked) / per };
  }
  return found;
}

// ---- the picture ----

const part = (...children) => h('div', { class: 'part' }, ...children);
const big = text => h('p', { class: 'big' }, text);
const quiet = (...text) => h('p', { class: 'quiet' }, ...text);

function postgresBox(s, r) {
  if (!s.postgres) return [big('unknown'), quiet('has not answered')];
  const writer = s.postgres.oldest_writer;
  return [big(r.written === null ? s.postgres.database : rate(r.written)), quiet(r.written === null ? 'database' : `changes written, ${s.postgres.database}`),
    quiet(`PostgreSQL ${s.postgres.version.split(' ')[0]}`), quiet(`changelog ${bytes(s.changelog.bytes)}, ${many(s.changelog.rows, 'row')}`),
    writer && writer.seconds > 60 ? h('p', { class: 'warn' }, `▲ a transaction is open since ${seconds(writer.seconds)}`) : null];
}

function workerPart(worker, s, partitions) {
  const own = worker.pid === s.worker.pid && worker.host === s.worker.host;
  return part(h('p', null, h('strong', null, `${worker.host}:${worker.pid}`), own ? ' (this one)' : ''),
    h('div', { class: 'cells', role: 'img', 'aria-label': `owns partitions ${worker.parts.join(', ') || 'none'}` },
      Array.from({ length: partitions }, (_, i) => h('i', worker.parts.includes(i) ? { class: 'on' } : {}))),
    quiet(`${worker.gate}; ${worker.parts.length} of ${partitions} partitions`),
    known(worker.changes_per_s) ? quiet(`${decimal(worker.changes_per_s)} changes/s, ${decimal(worker.documents_per_s)} documents/s`) : null,
    worker.doing.map(what => quiet(what)),
    worker.last_error ? h('p', { class: 'warn' }, `▲ ${ago(worker.last_error_seconds_ago)}: ${worker.last_error}`) : null);
}

function workersBox(s) {
  const fleet = ownFleet(s);
  if (!fleet) return [big('unknown'), quiet(s.worker.says)];
  return [big(many(fleet.workers, 'worker')),
    fleet.partitions_orphaned ? h('p', { class: 'bad' }, `✕ nobody reads ${many(fleet.partitions_orphaned, 'partition')}`) : null,
    fleet.worker_list.map(worker => workerPart(worker, s, s.partitions))];
}

function redisBox(s) {
  if (!s.redis || !s.redis.primaries.length) return [big('unknown'), quiet('has not answered')];
  return s.redis.primaries.map(p => part(big(bytes(p.used_memory)), quiet(p.max_memory ? `of ${bytes(p.max_memory)}, ${p.policy}` : `no limit, ${p.policy}`),
    quiet(`Redis ${p.version}`), quiet(p.address.replace(/^redis:\/\//, '')), quiet(many(p.replicas.length, 'replica')),
    p.evicted ? h('p', { class: 'bad' }, `✕ ${many(p.evicted, 'key')} evicted`) : null));
}

function queuesBox(s) {
  if (!s.queues.length) return [big('none'), quiet(s.redis ? 'no projection has a queue' : 'unknown')];
  return s.queues.map(q => part(h('p', null, h('code', null, q.queue)), big(count(q.waiting + q.later + q.in_flight + q.delayed)),
    quiet(known(q.oldest_waiting_ms) ? `the oldest waits for ${seconds(q.oldest_waiting_ms / 1000)}` : 'nothing waits'),
    q.paused ? h('p', { class: 'warn' }, '▲ paused') : null, q.dead ? h('p', { class: 'bad' }, `✕ ${many(q.dead, 'dead letter')}`) : null));
}

function consumersBox(s, r) {
  if (!s.queues.length) return [big('none')];
  return s.queues.map(q => part(h('p', null, h('code', null, q.queue)), big(count(q.consumers)), quiet(q.consumers === 1 ? 'consumer' : 'consumers'),
    r.queues[q.queue] ? quiet(`${decimal(r.queues[q.queue].acked)} done/s, ${decimal(r.queues[q.queue].queued)} come/s`) : null,
    !q.consumers && q.waiting ? h('p', { class: 'warn' }, '▲ nobody takes them') : null));
}

function picture(s) {
  const r = rates(s);
  const boxes = [['PostgreSQL', postgresBox(s, r)], ['Workers', workersBox(s)], ['Redis', redisBox(s)], ['Queues', queuesBox(s)], ['Consumers', consumersBox(s, r)]];
  return [h('h2', null, 'From change to consumer'), h('ol', { class: 'flow' }, boxes.map(([name, box]) => h('li', null, h('h3', null, name), box)))];
}

// ---- plots ----

const W = 300, H = 100;

// A line with gaps where nothing is known; steps are counted from the right edge, an hour is the whole width.
function line(list, most, hour, close) {
  let text = '', from = null;
  const end = x => close && from !== null ? `L${x} ${H}L${from} ${H}Z` : '';
  let x = 0;
  list.forEach((value, i) => {
    const at = (W * (hour - list.length + i + 1) / hour).toFixed(1);
    if (!known(value)) { text += end(x); from = null; return; }
    text += `${from === null ? 'M' : 'L'}${at} ${(H - H * value / most).toFixed(1)}`;
    if (from === null) from = at;
    x = at;
  });
  return text + end(x);
}

function plot(title, format, series, steps) {
  const hour = 3600 / steps, all = series.flatMap(([, list]) => list.filter(known)), most = Math.max(...all, 0);
  const now = series.map(([name, list]) => `${name} ${known(list.at(-1)) ? format(list.at(-1)) : 'not known'}`).join(', ');
  const text = all.length ? `${title}, the last hour: now ${now}; at most ${format(most)}` : `${title}: nothing is known yet`;
  return h('figure', null,
    h('figcaption', null, h('strong', null, title), series.map(([name, list], i) => h('span', { class: `key k${i}` }, `${name} ${known(list.at(-1)) ? format(list.at(-1)) : '–'}`))),
    h('svg', { viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': text },
      h('line', { x1: 0, x2: W, y1: H, y2: H }), h('line', { x1: 0, x2: W, y1: 0, y2: 0 }),
      all.length ? h('path', { class: 'a0', d: line(series[0][1], most || 1, hour, true) }) : null,
      series.map(([, list], i) => h('path', { class: `s${i}`, d: line(list, most || 1, hour, false) }))),
    h('div', { class: 'axis' }, h('span', null, 'an hour ago'), h('span', null, all.length ? `top: ${format(most)}` : 'nothing yet: a point every ten seconds'), h('span', null, 'now')));
}

function plots(s) {
  const past = s.history;
  return [h('h2', null, 'The last hour'), h('div', { class: 'plots' },
    plot('Delay', seconds, [['here', past.delay_seconds], ['fleet', past.lag_seconds]], past.step_seconds),
    plot('Throughput', rate, [['changes', past.changes_per_s], ['documents', past.documents_per_s]], past.step_seconds),
    plot('Queued', count, [['items', past.queued]], past.step_seconds)),
  quiet('Of this worker: delay and throughput. Of the fleet and the queues only while somebody looked.')];
}

// ---- tables ----

function table(caption, heads, rows) {
  // The roles stay when a narrow screen shows rows as cards.
  const head = ([name, kind]) => h('th', { class: kind || '', scope: 'col', role: 'columnheader' }, name);
  const cell = (value, i) => h('td', { class: heads[i][1] || '', role: 'cell', 'data-head': heads[i][0] }, h('div', null, value));
  return h('div', { class: 'scroll', role: 'region', 'aria-label': caption, tabindex: 0 }, h('table', { role: 'table' },
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, heads.map(head))),
    h('tbody', { role: 'rowgroup' }, rows.map(row => h('tr', { role: 'row' }, row.map(cell))))));
}

const section = (title, ...children) => [h('h2', null, title), ...children];

function reasons(s) {
  if (!s.reasons.length) return [];
  return section('What needs a person', h('ul', { class: 'reasons' }, s.reasons.map(r => h('li', null, h('span', null, r.what), h('code', null, r.mend)))));
}

function verified(v) {
  if (!v) return 'never';
  const drift = Math.max(0, v.missing + v.ghosts + v.different + v.expiry - v.repaired);
  return drift ? h('span', { class: 'bad' }, `✕ ${many(drift, 'document')} differ: ${v.missing} missing, ${v.ghosts} too many, ${v.different} different, ${v.expiry} with another date`)
    : `✓ in step${v.sampled ? ', by a sample' : ''}: ${count(v.compared)} compared`;
}

function projections(s) {
  const fleet = ownFleet(s);
  if (!fleet || !fleet.projections.length) return [];
  return section('Projections and the last verify', table('Projections', [['projection'], ['state', 'wide'], ['quarantine', 'n'], ['verified', 'wide'], ['when', 'n']],
    fleet.projections.map(p => [p.projection,
      known(p.broken_seconds_ago) ? h('span', { class: 'bad' }, `✕ broken: ${p.error}`) : p.stale ? h('span', { class: 'warn' }, `▲ ${p.stale}`) : '✓ whole',
      count(p.quarantined), verified(p.verified), p.verified ? ago(p.verified.seconds_ago) : '–'])));
}

function backfills(s) {
  const fleet = ownFleet(s);
  if (!fleet || !fleet.backfills.length) return [];
  return section('Backfills', table('Backfills', [['projection'], ['condition', 'wide'], ['phase'], ['documents', 'n'], ['done']],
    fleet.backfills.map(b => [b.projection, b.filter || 'all', b.phase, count(b.documents || 0),
      b.total ? h('span', null, h('progress', { max: b.total, value: Math.min(b.documents, b.total), 'aria-label': 'done' }), ` ${Math.floor(100 * Math.min(1, b.documents / b.total))} %`) : '–'])));
}

const button = (text, path) => token ? h('button', { type: 'button', onclick: event => act(event.currentTarget, path) }, text) : null;

function letters(q) {
  return h('details', null, h('summary', null, `Dead letters of ${q.queue}: the last ${q.dead_letters.length} of ${count(q.dead)}`),
    table(`Dead letters of ${q.queue}`, [['item', 'wide'], ['reason', 'wide'], ['died', 'n']],
      q.dead_letters.map(d => [h('code', null, d.item), d.reason || '–', ago((Date.now() - d.died_ms) / 1000)])));
}

function queues(s) {
  if (!s.queues.length) return [];
  const heads = [['queue'], ['waiting', 'n'], ['oldest', 'n'], ['later', 'n'], ['in flight', 'n'], ['delayed', 'n'], ['dead', 'n'], ['consumers', 'n'], ['']];
  return section('Queues', table('Queues', heads, s.queues.map(q => [h('code', null, q.queue), count(q.waiting),
    known(q.oldest_waiting_ms) ? seconds(q.oldest_waiting_ms / 1000) : '–', count(q.later), count(q.in_flight), count(q.delayed),
    q.dead ? h('span', { class: 'bad' }, `✕ ${count(q.dead)}`) : '0', count(q.consumers),
    [q.paused ? h('span', { class: 'warn' }, '▲ paused ') : null, q.dead ? button('Replay the dead letters', `replay?queue=${encodeURIComponent(q.queue)}`) : null]])),
  s.queues.filter(q => q.dead_letters && q.dead_letters.length).map(letters));
}

function quarantine(s) {
  if (!s.quarantine || !s.quarantine.length) return [];
  const names = [...new Set(s.quarantine.map(q => q.projection))];
  return section('Quarantine', quiet(`Documents that cannot be built, the last ${s.quarantine.length}. They are tried again by themselves.`),
    table('Quarantine', [['projection'], ['key', 'wide'], ['why', 'wide'], ['tries', 'n'], ['since', 'n'], ['next try', 'n']],
      s.quarantine.map(q => [q.projection, h('code', null, q.key), q.error, count(q.attempts), ago(q.seconds_ago), q.next_seconds > 0 ? `in ${seconds(q.next_seconds)}` : 'now'])),
    h('p', null, names.map(name => [button(`Try ${name} again now`, `retry?projection=${encodeURIComponent(name)}`), ' '])));
}

function fleets(s) {
  const others = s.fleets.filter(f => f.fleet !== s.worker.fleet);
  if (!others.length) return [];
  return section('Other fleets on this database', table('Other fleets', [['fleet'], ['how it stands', 'wide'], ['workers', 'n'], ['lag', 'n']],
    others.map(f => [f.fleet, f.verdict, count(f.workers), many(f.lag_changes, 'change')])));
}

function thisWorker(s) {
  const w = s.worker, t = w.totals, fleet = ownFleet(s), canary = fleet && fleet.canary;
  const stages = Object.entries(w.stages).filter(([, stage]) => stage.count);
  return section('This worker', h('p', null, `${w.host}:${w.pid}, version ${w.version}, up ${seconds(w.up_seconds)}; ${w.says}. `,
    `Changes applied: ${count(t.changes)}. Documents put ${count(t.put)}, unchanged ${count(t.unchanged)}, removed ${count(t.removed)}, stale ${count(t.stale)}, refused ${count(t.refused)}. `,
    `Sessions ${count(t.sessions)}, failed ${count(t.failures)}.`),
  canary && known(canary.latency_ms) ? quiet(`The last canary took ${seconds(canary.latency_ms / 1000)} from PostgreSQL to Redis, ${ago(canary.arrived_seconds_ago)}.`) : null,
  h('details', null, h('summary', null, 'How long the stages take'), table('Stages', [['stage'], ['times', 'n'], ['mean', 'n'], ['99 % within', 'n']],
    stages.map(([name, stage]) => [name, count(stage.count), seconds(stage.mean_ms / 1000), seconds(stage.p99_ms / 1000)]))));
}

// ---- actions ----

async function act(pressed, path) {
  pressed.disabled = true;
  try {
    const answer = await fetch(path, { method: 'POST', headers: { Authorization: `Bearer ${token}` }, credentials: 'omit' });
    note = (await answer.text()).trim();
    if (answer.status === 401) token = '';
  } catch (error) {
    note = `no answer: ${error.message}`;
  }
  pressed.disabled = false;
  render();
}

function enter(event) {
  event.preventDefault();
  const field = event.currentTarget.elements.token;
  token = field.value.trim();
  field.value = '';
  note = token ? 'The buttons stand by the queues and the quarantine.' : '';
  render();
}

function actions(s) {
  if (!s.worker.acts) return [];
  return section('Actions', h('form', { onsubmit: enter }, h('label', { for: 'token' }, token ? 'Token (one is kept until this page is closed)' : 'Token'),
    h('input', { id: 'token', name: 'token', type: 'password', autocomplete: 'off' }), h('button', { type: 'submit' }, 'Use it')),
  h('p', { role: 'status' }, note));
}

// ---- all of it ----

const SECTIONS = [reasons, actions, picture, plots, queues, quarantine, backfills, projections, fleets, thisWorker];

function render() {
  if (!shown) {
    const [kind, sign, title, text] = failedSince ? ['bad', '✕', 'No answer', 'This worker does not answer.'] : ['warn', '…', 'Asking', ''];
    document.getElementById('verdict').className = kind;
    draw('verdict', h('span', { class: 'sign', 'aria-hidden': 'true' }, sign), h('div', null, h('strong', null, title), text));
    return;
  }
  const s = shown, [kind, sign, title, text] = judge(s);
  document.title = `${sign} ${s.worker.fleet} – pgusher`;
  document.getElementById('verdict').className = kind;
  draw('fleet', `fleet ${s.worker.fleet}`);
  draw('age', `looked ${ago(s.looked_seconds_ago)}; asked every ${EVERY_MS / 1000} s`);
  draw('verdict', h('span', { class: `sign ${kind}`, 'aria-hidden': 'true' }, sign), h('div', null, h('strong', { class: kind }, title), text));
  draw('page', SECTIONS.map(what => h('section', null, what(s))));
  draw('footer', 'The same figures: ', h('a', { href: 'status.json' }, 'status.json'), ', ', h('a', { href: 'metrics' }, 'metrics'), ', or ', h('code', null, 'pgusher status'), ' in a terminal.');
}

function take(status) {
  failedSince = 0;
  if (shown && shown.looked_at_ms !== status.looked_at_ms) before = shown;
  shown = status;
}

async function ask() {
  try {
    const answer = await fetch('status.json', { credentials: 'omit', signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.statusText);
    take(await answer.json());
  } catch {
    failedSince = failedSince || Date.now();
  }
  render();
  setTimeout(ask, EVERY_MS);
}

ask();
