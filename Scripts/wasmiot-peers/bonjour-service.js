// Stands in for multicast DNS of wasmiot's orchestrator: nothing is found and nothing advertised.
"use strict";

class Bonjour {
    find() { return { on() {}, start() {}, stop() {} }; }
    publish() {}
    destroy() {}
}

module.exports = { Bonjour };
