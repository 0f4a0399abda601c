// Stands in for the driver of MongoDB: collections in memory, as far as wasmiot's orchestrator uses them.
"use strict";

const { randomBytes } = require("crypto");

class ObjectId {
    constructor(id) {
        if (id === undefined) {
            this.hex = randomBytes(12).toString("hex");
        } else if (ObjectId.isValid(id)) {
            this.hex = id.toString().toLowerCase();
        } else {
            throw new Error("input must be a 24 character hex string");
        }
    }

    static isValid(id) {
        return id instanceof ObjectId || (typeof id === "string" && /^[0-9a-f]{24}$/i.test(id));
    }

    toString() { return this.hex; }
    toHexString() { return this.hex; }
    toJSON() { return this.hex; }
    equals(other) { return other !== null && other !== undefined && other.toString() === this.hex; }
}

// What BSON keeps of a value: no methods, and null for what is undefined.
function copy(value) {
    if (value === undefined || value === null) return null;
    if (value instanceof ObjectId || value instanceof Date || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(copy);
    return Object.fromEntries(
        Object.entries(value)
            .filter(([, member]) => typeof member !== "function")
            .map(([name, member]) => [name, copy(member)]));
}

function equal(one, other) {
    if (one instanceof ObjectId || other instanceof ObjectId) {
        return one instanceof ObjectId && other instanceof ObjectId && one.hex === other.hex;
    }
    return one === other;
}

function holds(value, condition) {
    if (condition === null || typeof condition !== "object"
        || condition instanceof ObjectId || condition instanceof Date) {
        return equal(value, condition);
    }
    return Object.entries(condition).every(([operator, operand]) => {
        switch (operator) {
            case "$in": return operand.some(x => equal(value, x));
            case "$ne": return !equal(value, operand);
            case "$gt": return value > operand;
            case "$exists": return (value !== undefined) === operand;
            default: throw new Error(`the stand-in has no ${operator}`);
        }
    });
}

function matches(document, filter) {
    return Object.entries(filter || {}).every(([name, condition]) =>
        name === "$or"
            ? condition.some(x => matches(document, x))
            : holds(document[name], condition));
}

class Collection {
    constructor() { this.documents = []; }

    async createIndex() {}

    find(filter) {
        const found = this.documents.filter(x => matches(x, filter)).map(copy);
        return { toArray: async () => found };
    }

    async findOne(filter) { return (await this.find(filter).toArray())[0] || null; }

    async insertOne(document) {
        if (document._id === undefined) document._id = new ObjectId();
        this.documents.push(copy(document));
        return { acknowledged: true, insertedId: document._id };
    }

    async insertMany(documents) {
        for (const document of documents) await this.insertOne(document);
        return { acknowledged: true, insertedCount: documents.length };
    }

    change(documents, filter, update, options) {
        if (documents.length === 0 && options && options.upsert) {
            const document = { _id: new ObjectId(), ...copy(filter) };
            this.documents.push(document);
            documents = [document];
        }
        for (const document of documents) {
            Object.assign(document, copy(update.$set || {}));
            for (const [name, value] of Object.entries(update.$push || {})) {
                document[name].push(copy(value));
            }
        }
        return { matchedCount: documents.length, modifiedCount: documents.length };
    }

    async updateOne(filter, update, options) {
        const found = this.documents.filter(x => matches(x, filter)).slice(0, 1);
        return this.change(found, filter, update, options);
    }

    async updateMany(filter, update, options) {
        return this.change(this.documents.filter(x => matches(x, filter)), filter, update, options);
    }

    remove(found) {
        this.documents = this.documents.filter(x => !found.includes(x));
        return { acknowledged: true, deletedCount: found.length };
    }

    async deleteOne(filter) {
        return this.remove(this.documents.filter(x => matches(x, filter)).slice(0, 1));
    }

    async deleteMany(filter) {
        return this.remove(this.documents.filter(x => matches(x, filter)));
    }
}

const collections = {};

class MongoClient {
    async connect() {}
    async close() {}
    db() {
        return { collection: name => collections[name] || (collections[name] = new Collection()) };
    }
}

module.exports = { MongoClient, ObjectId };
