'use strict';
// The example for a Node host against the bridge and the simulated broker; tests/system/test_bridge_node.py starts it.
// IBKR_BRIDGE_COMMAND, SIMULATOR (its API root) and STATE (an empty folder) are in the environment, and with
// IBKR_BRIDGE_URL and IBKR_BRIDGE_TOKEN everything goes over HTTP.
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { readFileSync } = require('node:fs');
const readline = require('node:readline');
const { after, test } = require('node:test');
const util = require('node:util');
const BaseExchangeAPI = require('./BaseExchangeAPI.js');
const IbkrAPI = require('./ibkrApi.js');

const { SIMULATOR, STATE, IBKR_BRIDGE_URL } = process.env;
const ORDERS = 'POST /iserver/account/{accountId}/orders';
const overPipe = IBKR_BRIDGE_URL ? { skip: 'there is no process of its own over HTTP' } : {};
const overHttp = IBKR_BRIDGE_URL ? {} : { skip: 'each Node process has a bridge of its own over a pipe' };
const config = { authMethod: 'gateway', gatewayUrl: SIMULATOR, stateDir: STATE, whenClosed: 'queue', pacingMargin: 0.25 };

const control = async (name, body) => {
  const told = body ? { method: 'POST', body: JSON.stringify(body) } : {};
  return (await fetch(SIMULATOR.replace('/v1/api', `/simulator/${name}`), told)).json();
};
const orders = async (coid) => (await control('ledger')).orders.filter((order) => order.coid === coid);
const until = async (done) => {
  // Each look is a request, so nothing is slept through.
  for (let looks = 0; looks < 20000; looks += 1) {
    const found = await done();
    if (found) return found;
  }
  throw new Error('it never came');
};
const exchange = (user) => new IbkrAPI(config, user);
const children = (of = process.pid) => readFileSync(`/proc/${of}/task/${of}/children`, 'utf8').split(' ').map(Number).filter(Boolean);
const isOver = (pid) => {
  try {
    // Whose parent is gone may stay in the table for a while, and is no process any more.
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
};
const host = () => {
  const child = spawn(process.execPath, [require.resolve('./host.js')], {
    env: { ...process.env, HOST_CONFIG: JSON.stringify(config) }, stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    tell: (method, args, key) => child.stdin.write(`${JSON.stringify({ method, args, key })}\n`),
    hear: async () => JSON.parse((await lines.next()).value),
  };
};

after(() => IbkrAPI.shutdown());

test('it is the host\'s exchange, free to make and silent about its secrets', () => {
  const secret = new IbkrAPI({ ...config, privateKey: 'canary' });

  assert.ok(secret instanceof BaseExchangeAPI);
  assert.equal(secret.getExchangeName(), 'ibkr');
  assert.equal(secret.config.privateKey, 'canary');
  assert.ok(!util.inspect(secret).includes('canary'));
  for (const name of Object.getOwnPropertyNames(BaseExchangeAPI.prototype)) assert.equal(typeof secret[name], 'function');
});

test('parallel first calls of two objects log in once, and the answers have the host\'s shapes', async () => {
  const [margin, ticker, balance, positions] = await Promise.all([
    exchange().getAvailableMargin(), exchange().getTicker('AAPL'), exchange().getBalance(), exchange().getPositions(),
  ]);

  assert.ok(Number.isFinite(margin) && margin > 0);
  assert.ok(parseFloat(ticker.lastPrice) > 0 && ticker.price === ticker.lastPrice && ticker.symbol === 'AAPL');
  assert.ok(Array.isArray(balance) && balance.find((row) => row.asset === 'USD').availableBalance > 0);
  assert.deepEqual(positions, []);
  assert.equal(await exchange().getPosition('AAPL'), null);
  assert.equal(await exchange().hasOpenPosition('AAPL'), false);
  assert.equal((await control('ledger')).requests['POST /iserver/auth/ssodh/init'], 1);
});

test('an entry, its exits and the close, as the host calls them', async () => {
  const entry = await exchange().placeMarketOrder('AAPL', 'BUY', 3.5);
  const stop = await exchange().placeStopLoss('AAPL', 'SELL', 3.5, 160.01);
  const held = await until(async () => exchange().getPosition('AAPL'));
  const closed = await exchange().closePosition('AAPL', 'SELL', 3.5);
  const ended = await exchange().getOrder('AAPL', stop.orderId);

  assert.deepEqual([entry.quantity, entry.side, typeof entry.orderId], [3, 'BUY', 'string']);
  assert.equal(stop.quantity, 3);
  assert.deepEqual([held.symbol, held.positionAmt, typeof held.entryPrice], ['AAPL', '3', 'number']);
  assert.equal('quantity' in held, false);
  assert.equal(closed.side, 'SELL');
  assert.equal(ended.status, 'canceled');
});

test('what goes wrong is an Error with a sentence, by the name of what it means', async () => {
  await assert.rejects(exchange().getTicker('NOSUCH'), { name: 'ContractNotFound', repeatable: false });
  await assert.rejects(exchange().placeStopLoss('MSFT', 'SELL', 1, 290), (failure) => {
    assert.ok(failure instanceof Error);
    assert.deepEqual([failure.name, failure.key.startsWith('node-')], ['InvalidOrder', true]);
    assert.match(failure.message, /nothing was sent/i);
    return true;
  });
  await assert.rejects(exchange().cancelOrder(undefined, 'tradier_otoco_sl'), { name: 'InvalidOrder' });
  await assert.rejects(new IbkrAPI({ ...config, guardrials: {} }).getPositions(), { name: 'ConfigurationError' });
});

test('a number that is none is refused, because JSON would leave it out', async () => {
  const none = { name: 'InvalidOrder', message: /NaN is no number; nothing was sent/, repeatable: false };
  const asked = async () => (await control('ledger')).requests;
  const before = await asked();

  await assert.rejects(exchange().closePosition('AAPL', 'SELL', NaN), none);
  await assert.rejects(exchange().placeOtocoOrder('MSFT', 'BUY', 1, 'market', null, 500, NaN, {}), none);
  await assert.rejects(exchange().placeBracketOrder('MSFT', 'BUY', 'market', 1, null, { takeProfitPrice: 500, stopLossPrice: 0 / 0 }), none);

  assert.deepEqual(await asked(), before);
});

test('a command that is no bridge is an error, and not started for ever', overPipe, async () => {
  await IbkrAPI.shutdown();
  const before = process.env.IBKR_BRIDGE_COMMAND;
  try {
    process.env.IBKR_BRIDGE_COMMAND = `${process.execPath} --version`;
    await assert.rejects(exchange().getPositions(), { name: 'BridgeDown', message: /ended before it answered|no answer/ });
    await assert.rejects(exchange().getPositions(), { name: 'BridgeDown', message: /keeps ending; it is started again in \d+ ms/ });
    await IbkrAPI.shutdown();
    process.env.IBKR_BRIDGE_COMMAND = '/no/such/command';
    await assert.rejects(exchange().getPositions(), { name: 'BridgeDown', message: /cannot be started/ });
  } finally {
    await IbkrAPI.shutdown();
    process.env.IBKR_BRIDGE_COMMAND = before;
  }
});

test('a signal that is acted on twice is one order', async () => {
  const signal = () => exchange().withKey('signal-1').placeLimitOrder('MSFT', 'BUY', 1, '300.00');

  const [first, second] = await Promise.all([signal(), signal()]);

  assert.deepEqual(first, second);
  assert.equal((await orders('signal-1')).length, 1);
});

test('Python is killed in the middle of an order: the call is answered, and the order is there once', overPipe, async () => {
  await exchange().getTicker('MSFT');
  await control('faults', { fault: 'F04', on: ORDERS, seconds: 5, times: 1 });
  const placing = exchange().withKey('killed').placeLimitOrder('MSFT', 'BUY', 1, 300);
  await until(async () => (await orders('killed')).length);
  for (const child of children()) process.kill(child, 'SIGKILL');

  const placed = await placing;

  assert.deepEqual((await orders('killed')).map((order) => String(order.order_id)), [placed.orderId]);
});

test('Python is killed with nothing at work: the next call starts another', overPipe, async () => {
  await exchange().getPositions();
  const before = children();
  for (const child of before) process.kill(child, 'SIGKILL');

  const positions = await until(() => exchange().getPositions());

  assert.ok(Array.isArray(positions));
  assert.notDeepEqual(children(), before);
});

test('Node is killed in the middle of an order: its bridge ends by itself, and the next host has the order', overPipe, async () => {
  const first = host();
  first.tell('getTicker', ['MSFT']);
  await first.hear();
  const [bridge] = children(first.child.pid);
  await control('faults', { fault: 'F04', on: ORDERS, seconds: 2, times: 1 });
  first.tell('placeLimitOrder', ['MSFT', 'BUY', 1, 300], 'orphan');
  await until(async () => (await orders('orphan')).length);
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');

  const found = await until(() => exchange().withKey('orphan').placeLimitOrder('MSFT', 'BUY', 1, 300).catch((failure) => {
    // As long as the first bridge brings its order to its end, the second is told to wait.
    assert.match(failure.message, /another process/);
  }));
  await until(async () => (await control('ledger')) && isOver(bridge));

  assert.deepEqual((await orders('orphan')).map((order) => String(order.order_id)), [found.orderId]);
});

test('two Node processes at one account: one session, and a signal of both is one order', overHttp, async () => {
  const other = host();
  other.tell('placeLimitOrder', ['MSFT', 'BUY', 1, 300], 'both');
  const mine = await exchange().withKey('both').placeLimitOrder('MSFT', 'BUY', 1, 300);
  const theirs = await other.hear();
  other.child.stdin.end();

  assert.deepEqual(theirs, { result: mine });
  assert.equal((await orders('both')).length, 1);
  assert.equal((await control('ledger')).requests['POST /iserver/auth/ssodh/init'], 1);
});

test('fills are told, each once', async () => {
  const fills = [];
  let told;
  const stop = exchange().onFill((fill) => { fills.push(fill); if (told) told(); });
  await stop.watching;
  const [entry] = await Promise.all([
    exchange().placeMarketOrder('AAPL', 'BUY', 1),
    new Promise((resolve) => { told = resolve; }),
  ]);
  stop();

  assert.deepEqual(fills.map((fill) => [fill.symbol, fill.side, fill.orderId]), [['AAPL', 'BUY', entry.orderId]]);
});

test('a row of credentials is all that the host has to hand over', async () => {
  const row = { userId: 7, exchange: 'ibkr', label: 'mine', apiKey: '', apiSecret: '', accountId: 'DU1234567', environment: 'sandbox' };
  const extra = { gatewayUrl: SIMULATOR, stateDir: STATE, whenClosed: 'queue', pacingMargin: 0.25 };
  const of = (more) => new IbkrAPI({ credentials: { ...row, extra, ...more } });

  assert.ok(parseFloat((await of().getTicker('AAPL')).price) > 0);
  await assert.rejects(of({ accountId: null }).getPositions(), { name: 'ConfigurationError', message: /requires gatewayUrl and accountId/ });
  await assert.rejects(of({ apiKey: 'canary', extra: null }).getPositions(), (failure) => {
    assert.deepEqual([failure.name, failure.message.includes('canary')], ['ConfigurationError', false]);
    return true;
  });
  assert.ok(!util.inspect(of({ apiSecret: 'canary' })).includes('canary'));
  assert.ok(new IbkrAPI({ credentials: {} }) && new IbkrAPI(null));
});
