// Soundness: the continuation of `flush` is resumed by its mark, which is called once.

import WasmdStorage

/// What of a broker waits to be written, in order. Used under the broker's lock.
///
/// One batch is written at a time; what comes meanwhile is the next one, so that the waits for the
/// disk are shared.
struct Journal {
    /// A message that is published when it is on the disk.
    struct Writing: @unchecked Sendable {
        let held: HeldMessage
        let topic: Topic
        let retains: Bool
        let completion: @Sendable (BrokerError?) -> Void
    }

    /// What is written together.
    struct Batch: Sendable {
        var writings: [Writing] = []
        /// Values by key; nil to remove.
        var changes: [[UInt8]: [UInt8]?] = [:]
        /// Called when everything before is on the disk.
        var marks: [@Sendable (StorageError?) -> Void] = []
        var byteCount = 0

        var isEmpty: Bool { writings.isEmpty && changes.isEmpty && marks.isEmpty }

        var transaction: Transaction {
            var transaction = Transaction()
            for writing in writings {
                let message = writing.held.message
                let value = StoredKeys.value(message)
                transaction.put(StoredKeys.message(message), value)
                // With the message: what was acknowledged is the last value after a crash, too.
                guard writing.retains else { continue }
                let key = StoredKeys.retained(message.topic)
                if message.payload.isEmpty {
                    transaction.delete(key)
                } else {
                    transaction.put(key, value)
                }
            }
            for (key, value) in changes {
                if let value { transaction.put(key, value) } else { transaction.delete(key) }
            }
            return transaction
        }
    }

    private var full: [Batch] = []
    private var open = Batch()
    /// Changes that could not be written; they come with the next batch.
    private var unwritten: [[UInt8]: [UInt8]?] = [:]
    private var isWriting = false
    /// Whether changes are of use: not without a store.
    var isOn = false

    /// Bytes and changes of a batch, far below what a transaction can have.
    private static let byteLimit = 2 << 20
    private static let countLimit = 4096

    /// Changes that wait.
    var count: Int {
        full.reduce(open.writings.count + open.changes.count) {
            $0 + $1.writings.count + $1.changes.count
        }
    }

    mutating func add(_ writing: Writing) {
        let size = writing.held.message.cost * (writing.retains ? 2 : 1)
        close(adding: size)
        // A removal of the last value that waits is older than this one.
        if writing.retains { open.changes[StoredKeys.retained(writing.held.message.topic)] = nil }
        open.writings.append(writing)
        open.byteCount += size
    }

    /// Sets a record, or removes it.
    mutating func set(_ key: [UInt8], _ value: [UInt8]?) {
        guard isOn else { return }
        let size = key.count + (value?.count ?? 0)
        close(adding: size)
        open.changes[key] = .some(value)
        open.byteCount += size
    }

    mutating func addMark(_ body: @escaping @Sendable (StorageError?) -> Void) {
        open.marks.append(body)
    }

    private mutating func close(adding size: Int) {
        guard
            open.byteCount + size > Self.byteLimit
                || open.writings.count + open.changes.count >= Self.countLimit
        else { return }
        full.append(open)
        open = Batch()
    }

    /// Whether somebody has to begin to write.
    mutating func begins() -> Bool {
        guard isOn, !isWriting, !full.isEmpty || !open.isEmpty else { return false }
        isWriting = true
        return true
    }

    /// The next batch; nil if there is none, and the writer ends.
    mutating func next() -> Batch? {
        var batch: Batch
        if !full.isEmpty {
            batch = full.removeFirst()
        } else if !open.isEmpty {
            batch = open
            open = Batch()
        } else {
            isWriting = false
            return nil
        }
        guard !unwritten.isEmpty else { return batch }
        // What the batch itself changes is newer.
        for writing in batch.writings where writing.retains {
            unwritten[StoredKeys.retained(writing.held.message.topic)] = nil
        }
        batch.changes.merge(unwritten) { new, _ in new }
        unwritten = [:]
        return batch
    }

    /// Keeps the changes of a batch that could not be written: a subscription whose record were
    /// lost would lose messages that are acknowledged later.
    ///
    /// If there are too many, removals of messages are left out: those come once more after a
    /// restart.
    mutating func keepChanges(of batch: Batch) {
        unwritten = batch.changes
        guard unwritten.count > Self.countLimit else { return }
        unwritten = unwritten.filter { !$0.key.starts(with: StoredKeys.messages) }
    }
}

extension Broker {
    /// Writes what waits, until nothing does. One task at a time.
    func drain() async {
        guard let store else { return }
        while let batch = state.withLock({ $0.journal.next() }) {
            var failure: StorageError?
            do throws(StorageError) {
                // A mark alone needs nothing but that what was before is written.
                guard !batch.writings.isEmpty || !batch.changes.isEmpty else {
                    perform { $0.finish(batch, nil) }
                    continue
                }
                try await store.commit(batch.transaction)
            } catch {
                failure = error
            }
            let error = failure
            perform { $0.finish(batch, error) }
        }
    }

    /// Waits until everything that has happened before is on the disk: for the end of the process.
    public func flush() async throws(BrokerError) {
        guard store != nil else { return }
        let error = await unsafe withUnsafeContinuation {
            (continuation: UnsafeContinuation<BrokerError?, Never>) in
            let waiter = unsafe PublicationWaiter(continuation)
            perform { state in
                state.journal.addMark { waiter.resume($0.map { .storage($0) }) }
                state.kick()
            }
        }
        if let error { throw error }
    }
}

extension BrokerState {
    /// A batch was written, or not.
    mutating func finish(_ batch: Journal.Batch, _ failure: StorageError?) {
        if failure != nil { journal.keepChanges(of: batch) }
        for writing in batch.writings {
            let (held, topic, completion) = (writing.held, writing.topic, writing.completion)
            topic.writing -= 1
            topic.writingBytes -= held.message.cost
            if let failure {
                topic.stored -= 1
                topic.refused &+= 1
                totals.refused &+= 1
                // It is not in the store: nothing is to be removed there.
                release(held, kept: false)
                call { completion(.storage(failure)) }
            } else {
                if writing.retains { topic.hasStoredValue = !held.message.payload.isEmpty }
                deliver(held, topic, retains: writing.retains)
                release(held, kept: true)
                call { completion(nil) }
            }
        }
        for mark in batch.marks { call { mark(failure) } }
        kick()
    }

    /// Writes a named subscription.
    mutating func writeSubscription(_ subscriber: Subscriber) {
        guard let name = subscriber.options.name else { return }
        journal.set(StoredKeys.subscription(name), StoredKeys.value(subscriber))
        kick()
    }
}
