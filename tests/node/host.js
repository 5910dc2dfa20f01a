'use strict';
// A host in small: it reads one call a line from its standard input and answers each with a line of JSON.
// `HOST_CONFIG` is the configuration of its exchange.
const readline = require('node:readline');
const IbkrAPI = require('./ibkrApi.js');

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const { key, method, args } = JSON.parse(line);
  const exchange = new IbkrAPI(JSON.parse(process.env.HOST_CONFIG));
  const asked = key ? exchange.withKey(key) : exchange;
  const told = await asked[method](...args).then((result) => ({ result }), (failure) => ({ error: failure.name, message: failure.message }));
  process.stdout.write(`${JSON.stringify(told)}\n`);
});
