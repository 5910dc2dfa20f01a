'use strict';
// Interactive Brokers for a Node host: the host's exchange class, whose calls go to `ibkr-adapter bridge`.
//
// Without IBKR_BRIDGE_URL a Python process is started and spoken to over its pipes; with it (and IBKR_BRIDGE_TOKEN)
// one that several Node processes share is asked over loopback HTTP. Credentials cross once per session, in a frame.
// Every change has a key. An answer that was lost is asked for again under the same key, never sent as a new order.
const { spawn } = require('node:child_process');
const { createHash, randomUUID } = require('node:crypto');
const readline = require('node:readline');
const base = require('./BaseExchangeAPI');

const PROTOCOL = 1;
const UNKNOWN_SESSION = -32001;
// The longest an order can take, with its questions and the look-up of a lost answer; a read takes far less.
const READ_MS = 20000, CHANGE_MS = 95000, GRACE_MS = 5000;
const READS = ['getBalance', 'getBalanceSummary', 'getAvailableMargin', 'getPositions', 'getPosition', 'hasOpenPosition',
  'getTicker', 'fetchTicker', 'getOrder', 'getOpenOrders', 'getOrders', 'getAllOrders', 'getTradeHistory', 'findOrder'];
const CHANGES = ['placeMarketOrder', 'placeLimitOrder', 'placeStopOrder', 'placeBracketOrder', 'placeOtocoOrder',
  'placeComboOrder', 'placeStopLoss', 'placeTakeProfit', 'placeTrailingStop', 'placeOcoOrder', 'closePosition',
  'cancelOrder', 'cancelAllOrders', 'executeWebhook'];

const failed = ({ message, code = 0, data = {} }) =>
  Object.assign(new Error(message), { lost: false }, data, { name: data.type || 'BridgeDown', code });
// JSON writes NaN as null, which is as good as left out: a stop that was miscalculated would be none, a part to close all of it.
const checked = (_, value) => {
  if (typeof value !== 'number' || Number.isFinite(value)) return value;
  throw failed({ message: `${value} is no number; nothing was sent.`, data: { type: 'InvalidOrder', repeatable: false } });
};
const lost = (message) => failed({ message, data: { lost: true } });

class Pipe {
  constructor(command) {
    Object.assign(this, { command, child: null, waiting: new Map(), last: 0, deaths: 0, startedAt: 0 });
  }

  start() {
    // One death is an accident; a process that keeps dying is given time, and the caller an answer.
    const pause = this.deaths > 1 ? Math.min(30000, 500 * 2 ** this.deaths) : 0;
    if (Date.now() < this.startedAt + pause) {
      throw failed({ message: `The bridge keeps ending; it is started again in ${pause} ms at most.` });
    }
    this.startedAt = Date.now();
    const [program, ...words] = this.command;
    const child = this.child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.on('error', () => this.down(child, 'The bridge cannot be started.'));
    child.on('exit', () => this.down(child, 'The bridge ended before it answered.'));
    child.stdin.on('error', () => {});
    readline.createInterface({ input: child.stdout }).on('line', (line) => this.receive(child, line));
    for (const one of [child, child.stdin, child.stdout]) one.unref();
    this.ready = this.post('bridge.hello', { protocol: PROTOCOL, client: 'sparky' }, READ_MS);
    this.ready.catch(() => {});
  }

  down(child, message) {
    if (this.child !== child) return;
    this.child = null;
    this.deaths = Date.now() - this.startedAt < 10000 ? this.deaths + 1 : 1;
    for (const { reject } of [...this.waiting.values()]) reject(lost(message));
  }

  receive(child, line) {
    try {
      const { id, error, result } = JSON.parse(line);
      const call = this.waiting.get(id);
      if (call) error ? call.reject(failed(error)) : call.resolve(result);
    } catch {
      child.kill(); // Whatever was started, it is no bridge; its end answers what waits.
    }
  }

  async request(method, params, ms) {
    if (!this.child) this.start();
    await this.ready;
    return this.post(method, params, ms);
  }

  post(method, params, ms) {
    const { child } = this, id = ++this.last;
    let timer = null;
    child.ref(); // A call keeps the host's process alive, the bridge alone does not.
    return new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(lost('The bridge does not answer.')), ms + GRACE_MS);
      this.waiting.set(id, { resolve, reject });
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    }).finally(() => {
      clearTimeout(timer);
      this.waiting.delete(id);
      if (!this.waiting.size) child.unref();
    });
  }

  async close() {
    const { child } = this;
    child?.ref();
    if (child) await new Promise((ended) => child.on('exit', ended).stdin.end());
  }
}

class Http {
  constructor(url, token) {
    Object.assign(this, { url, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } });
  }

  async request(method, params, ms) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const asked = { method: 'POST', headers: this.headers, body, signal: AbortSignal.timeout(ms + GRACE_MS) };
    const { error, result } = await fetch(this.url, asked).then((answer) => answer.json()).catch((failure) => {
      throw lost(`The bridge at ${this.url} does not answer: ${failure.cause?.code || failure.name}.`);
    });
    if (error) throw failed(error);
    return result;
  }
}

let transport = null;
const sessions = new Map();
const connect = () => {
  const { IBKR_BRIDGE_URL: url, IBKR_BRIDGE_TOKEN: token, IBKR_BRIDGE_COMMAND: command } = process.env;
  return transport ??= url ? new Http(url, token) : new Pipe((command || 'ibkr-adapter bridge --stdio').split(' '));
};

class IbkrAPI extends (base.BaseExchangeAPI || base) {
  // `config` is settings, or { credentials }: a row of the host's, of which the bridge makes settings; what is wrong is
  // said by the first call. `user` keeps users apart whose settings are equal; a row names its own.
  constructor(config, user = null) {
    super(config);
    this.exchangeName = 'ibkr';
    const opening = config?.credentials ? { credentials: config.credentials } : { config, user };
    // Not shown when the object is printed, because secrets are in it.
    Object.defineProperties(this, { config: { value: config, enumerable: false }, opening: { value: opening } });
  }

  // The same object for one call under a key of the caller's own, such as the id of a signal.
  withKey(key) {
    return Object.create(this, { key: { value: key } });
  }

  async within(method, params, ms, again = true) {
    const name = createHash('sha256').update(JSON.stringify(this.opening)).digest('hex');
    if (!sessions.has(name)) sessions.set(name, connect().request('session.open', this.opening, READ_MS));
    const opened = sessions.get(name);
    try {
      const { session } = await opened;
      return await connect().request(method, { session, ...params }, ms);
    } catch (failure) {
      const gone = failure.lost || failure.code === UNKNOWN_SESSION;
      if (sessions.get(name) === opened && (gone || !(await opened.catch(() => null)))) sessions.delete(name);
      // Whatever was sent was sent under its key, so that asking again finds it; a caller may do so once more.
      if (again && gone) return this.within(method, params, ms, false);
      throw Object.assign(failure, params.key && { key: params.key });
    }
  }

  // Calls `listener` with every fill once `watching` of what it returns has come, also with those of a time when the
  // bridge was away; calling what it returns ends it.
  onFill(listener, notSeen = () => {}) {
    let over = false, known = null, after = null, begun;
    const watching = new Promise((resolve) => { begun = resolve; });
    (async () => {
      while (!over) {
        try {
          if (after === null) {
            const { last, fills } = await this.within('session.watch', { known }, READ_MS, false);
            for (const fill of over ? [] : fills) listener(fill, (known = fill.id));
            after = last;
          }
          begun();
          const found = await this.within('session.events', { after, waitMs: READ_MS }, READ_MS, false);
          for (const { fill } of over ? [] : found.events) listener(fill, (known = fill.id));
          after = found.last;
        } catch (failure) {
          after = null;
          notSeen(failure);
          await this.sleep(1000);
        }
      }
    })();
    return Object.assign(() => { over = true; }, { watching });
  }

  static async shutdown() {
    const leaving = transport;
    transport = null;
    sessions.clear();
    await leaving?.close?.();
  }
}

for (const method of [...READS, ...CHANGES]) {
  const changes = CHANGES.includes(method), ms = changes ? CHANGE_MS : READ_MS;
  IbkrAPI.prototype[method] = async function call(...args) {
    JSON.stringify(args, checked);
    const key = changes ? { key: this.key || `node-${randomUUID()}` } : {};
    return this.within('session.call', { method, args, timeoutMs: ms, ...key }, ms);
  };
}

module.exports = IbkrAPI;
