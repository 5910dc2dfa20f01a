'use strict';
// What the host's base class is, for trying the example without the host.
const METHODS = ['getBalance', 'getAvailableMargin', 'getPositions', 'getPosition', 'hasOpenPosition', 'getTicker',
  'placeMarketOrder', 'placeLimitOrder', 'placeStopLoss', 'placeTakeProfit', 'closePosition', 'cancelOrder', 'getOrder'];

class BaseExchangeAPI {
  constructor(config) {
    this.config = config;
    this.exchangeName = 'base';
  }

  sleep(ms) {
    return new Promise((done) => setTimeout(done, ms));
  }

  getExchangeName() {
    return this.exchangeName;
  }
}
for (const method of METHODS) {
  BaseExchangeAPI.prototype[method] = async function missing() {
    throw new Error(`${method} must be implemented`);
  };
}
module.exports = BaseExchangeAPI;
