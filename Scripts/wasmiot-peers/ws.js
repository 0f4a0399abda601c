// Stands in for ws: WebSockets of the log page are turned off.
"use strict";

module.exports = { OPEN: 1, Server: class {} };
