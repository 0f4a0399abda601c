// Stands in for multer: fields and files of multipart bodies, as `multer({ dest }).any()` has them.
"use strict";

const { randomBytes } = require("crypto");
const fs = require("fs");
const path = require("path");

function append(body, name, value) {
    const [first, ...rest] = name.replace(/\]/g, "").split("[");
    let target = body;
    let key = first;
    for (const next of rest) {
        if (target[key] === undefined) target[key] = /^\d*$/.test(next) ? [] : {};
        target = target[key];
        key = next === "" ? target.length : next;
    }
    target[key] = value;
}

// Parts of a body, each with its fields and content.
function* parts(body, boundary) {
    const delimiter = Buffer.from(`\r\n--${boundary}`);
    const whole = Buffer.concat([Buffer.from("\r\n"), body]);
    let start = whole.indexOf(delimiter);
    while (start >= 0) {
        const end = whole.indexOf(delimiter, start + delimiter.length);
        if (end < 0) return;
        const part = whole.subarray(start + delimiter.length + 2, end);
        const blank = part.indexOf("\r\n\r\n");
        const fields = {};
        for (const line of part.subarray(0, blank).toString("utf8").split("\r\n")) {
            const colon = line.indexOf(":");
            fields[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
        }
        yield { fields, content: part.subarray(blank + 4) };
        start = end;
    }
}

function multer(options) {
    const dest = options && options.dest ? options.dest : "uploads";
    fs.mkdirSync(dest, { recursive: true });
    const any = () => async (request, response, next) => {
        const type = request.headers["content-type"] || "";
        const boundary = /boundary="?([^";]+)"?/.exec(type);
        if (!type.startsWith("multipart/form-data") || !boundary) { next(); return; }
        const pieces = [];
        for await (const piece of request) pieces.push(piece);
        request.body = {};
        request.files = [];
        for (const { fields, content } of parts(Buffer.concat(pieces), boundary[1])) {
            const disposition = fields["content-disposition"] || "";
            const name = (/[; ]name="([^"]*)"/.exec(disposition) || [])[1];
            const original = /filename="([^"]*)"/.exec(disposition);
            if (name === undefined) continue;
            if (!original) { append(request.body, name, content.toString("utf8")); continue; }
            const filename = randomBytes(16).toString("hex");
            const place = path.join(dest, filename);
            fs.writeFileSync(place, content);
            request.files.push({
                fieldname: name, originalname: original[1], encoding: "7bit",
                mimetype: fields["content-type"] || "text/plain",
                destination: dest, filename, path: place, size: content.length,
            });
        }
        next();
    };
    return { any };
}

module.exports = multer;
