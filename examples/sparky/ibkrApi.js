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

class BridgeError extends Error {
  constructor({ message, code = 0, data = {} }, lost = false) {
    super(message);
    Object.assign(this, data, { name: data.type || 'BridgeDown', code, lost });
  }
}
const lost = (message) => new BridgeError({ message }, true);

class Pipe {
  constructor(command) {
    Object.assign(this, { command, child: null, waiting: new Map(), last: 0, deaths: 0, startedAt: 0 });
  }

  start() {
    if (this.child) return;
    // One death is an accident; a process that keeps dying is given time, and the caller an answer.
    const pause = this.deaths > 1 ? Math.min(30000, 500 * 2 ** this.deaths) : 0;
    if (Date.now() < this.startedAt + pause) {
      throw new BridgeError({ message: `The bridge keeps ending; it is started again in ${pause} ms at most.` });
    }
    this.startedAt = Date.now();
    const [program, ...words] = this.command;
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child = child;
    child.on('error', () => this.down(child, 'The bridge cannot be started.'));
    child.on('exit', () => this.down(child, 'The bridge ended before it answered.'));
    child.stdin.on('error', () => {});
    readline.createInterface({ input: child.stdout }).on('line', (line) => this.receive(line));
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

  receive(line) {
    let frame = null;
    try {
      frame = JSON.parse(line);
    } catch {
      // Whatever was started, it is no bridge; its end answers what waits.
      this.child?.kill();
      return;
    }
    const call = this.waiting.get(frame.id);
    if (call) frame.error ? call.reject(new BridgeError(frame.error)) : call.resolve(frame.result);
  }

  async request(method, params, ms) {
    this.start();
    await this.ready;
    return this.post(method, params, ms);
  }

  post(method, params, ms) {
    const id = ++this.last;
    const { child } = this;
    // A call keeps the host's process alive, the bridge alone does not.
    child.ref();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(lost('The bridge does not answer.')), ms + GRACE_MS);
      this.waiting.set(id, { resolve, reject, timer });
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    }).finally(() => {
      clearTimeout(this.waiting.get(id).timer);
      this.waiting.delete(id);
      if (!this.waiting.size) child.unref();
    });
  }

  close() {
    const { child } = this;
    if (!child) return Promise.resolve();
    child.ref();
    return new Promise((ended) => child.on('exit', ended).stdin.end());
  }
}

class Http {
  constructor(url, token) {
    Object.assign(this, { url, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } });
  }

  async request(method, params, ms) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const asked = { method: 'POST', headers: this.headers, body, signal: AbortSignal.timeout(ms + GRACE_MS) };
    const frame = await fetch(this.url, asked).then((answer) => answer.json()).catch((failure) => {
      throw lost(`The bridge at ${this.url} does not answer: ${failure.cause?.code || failure.name}.`);
    });
    if (frame.error) throw new BridgeError(frame.error);
    return frame.result;
  }

  async close() {}
}

let transport = null;
const sessions = new Map();
const connect = () => {
  const { IBKR_BRIDGE_URL: url, IBKR_BRIDGE_TOKEN: token, IBKR_BRIDGE_COMMAND: command } = process.env;
  transport ??= url ? new Http(url, token) : new Pipe((command || 'ibkr-adapter bridge --stdio').split(' '));
  return transport;
};

class IbkrAPI extends (base.BaseExchangeAPI || base) {
  // `config` is what the credentials are mapped to; `user` keeps users apart whose credentials are equal.
  constructor(config, user = null) {
    super(config);
    this.exchangeName = 'ibkr';
    // Not shown when the object is printed, because secrets are in it.
    Object.defineProperty(this, 'config', { value: config, enumerable: false });
    Object.defineProperty(this, 'opening', { value: { config, user }, enumerable: false });
  }

  // What a host's row of credentials means: { config, user } for the constructor. It never throws; what is wrong is
  // said by the first call.
  static fromCredentials({ apiKey, apiSecret, accountId, environment, userId, extra } = {}) {
    const { authMethod, account_id: otherId, ...more } = extra || {};
    const method = authMethod || (more.clientKeyId ? 'oauth2' : more.accessToken ? 'oauth1a' : 'gateway');
    const isPem = String(apiSecret).includes('-----BEGIN');
    const keys = {
      oauth2: { clientId: apiKey, privateKey: apiSecret },
      oauth1a: { consumerKey: apiKey, [isPem ? 'signatureKey' : 'accessTokenSecret']: apiSecret },
    }[method];
    const config = { authMethod: method, ...keys, accountId: accountId || otherId, environment, ...more };
    return { config, user: userId == null ? null : String(userId) };
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
      if (sessions.get(name) === opened && (failure.lost || failure.code === UNKNOWN_SESSION || !(await opened.catch(() => null)))) {
        sessions.delete(name);
      }
      // Whatever was sent was sent under its key, so that asking again finds it.
      if (again && (failure.lost || failure.code === UNKNOWN_SESSION)) return this.within(method, params, ms, false);
      // With it a caller may ask once more what became of a change.
      throw Object.assign(failure, params.key && { key: params.key });
    }
  }

  // Calls `listener` with every fill once `watching` of what it returns has come, also with those of a time when the
  // bridge was away; calling what it returns ends it.
  onFill(listener, failed = () => {}) {
    let over = false, begun;
    const watching = new Promise((resolve) => { begun = resolve; });
    const follow = async () => {
      let known = null, after = null;
      while (!over) {
        try {
          if (after === null) after = (await this.within('session.watch', { known }, READ_MS, false)).last;
          begun();
          const found = await this.within('session.events', { after, waitMs: READ_MS }, READ_MS, false);
          for (const { fill } of over ? [] : found.events) listener(fill, (known = fill.id));
          after = found.last;
        } catch (failure) {
          after = null;
          failed(failure);
          await this.sleep(1000);
        }
      }
    };
    follow();
    return Object.assign(() => { over = true; }, { watching });
  }

  static async shutdown() {
    const leaving = transport;
    transport = null;
    sessions.clear();
    if (leaving) await leaving.close();
  }
}

for (const method of [...READS, ...CHANGES]) {
  const changes = CHANGES.includes(method), ms = changes ? CHANGE_MS : READ_MS;
  IbkrAPI.prototype[method] = async function call(...args) {
    const key = changes ? { key: this.key || `node-${randomUUID()}` } : {};
    return this.within('session.call', { method, args, timeoutMs: ms, ...key }, ms);
  };
}

module.exports = IbkrAPI;
