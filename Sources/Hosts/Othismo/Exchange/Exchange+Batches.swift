import WasmdDocuments
import WasmdImages

/// Batches of deliveries, each of which ends with a commit.
extension Exchange {
    /// Delivers messages until none waits or the batch is full, and commits.
    ///
    /// - Returns: what left the image.
    /// - Throws: `ImageError`; nothing since the last commit has happened then.
    public func runBatch() throws(ImageError) -> [Output] {
        for _ in 0..<Self.mostAttempts {
            do throws(ImageError) {
                return try attemptBatch()
            } catch {
                // All of it is done again with what the other program wrote.
                guard error == .changed else { throw error }
            }
        }
        throw .busy
    }

    private static let mostAttempts = 16

    /// Forgets what is in memory if another program changed the store, or if it could not be read.
    private func refresh() throws(ImageError) {
        let now = try store.revision()
        guard now != revision || namespace.isStale else { return }
        live = [:]
        try namespace.reload()
        try readQueue()
        // Only now: what could not be read is read by the next attempt.
        revision = now
    }

    private func attemptBatch() throws(ImageError) -> [Output] {
        try refresh()
        let end = ContinuousClock.now + options.batchTime
        var count = 0
        while !queue.isEmpty, count < options.batchDeliveries {
            let isCareful = carefulDeliveries > 0
            do {
                try deliverNext()
                count += 1
                if isCareful {
                    carefulDeliveries -= 1
                    try commit()
                }
            } catch let error as ImageError {
                try rollBack()
                throw error
            } catch {
                guard isCareful else {
                    try rollBack()
                    carefulDeliveries = count + 1
                    count = 0
                    continue
                }
                let failure = error as? DeliveryFailure
                try drop(failure?.error ?? .refused("\(error)"))
            }
            if deliveredBytes >= options.batchBytes { break }
            if isCareful || (count & 15 == 0 && ContinuousClock.now >= end) { break }
        }
        do {
            try commit()
        } catch let error as ImageError {
            try rollBack()
            throw error
        } catch {
            // A state that cannot be stored: find out which delivery made it.
            try rollBack()
            carefulDeliveries = max(count, 1)
        }
        defer { released = [] }
        return released
    }

    /// Undoes the delivery that failed, and reports the error in its place.
    func drop(_ error: MessageError) throws(ImageError) {
        statistics.failures += 1
        carefulDeliveries -= 1
        try rollBack()
        guard let message = queue.popFirst() else { return }
        if let key = message.key { dequeued.append(key) }
        do {
            try report(error, on: Envelope(message.bytes), at: message.target)
            try commit()
        } catch let error as ImageError {
            try rollBack()
            throw error
        } catch {
            // A message that waits was written by us.
        }
    }

    /// Undoes everything since the last commit.
    func rollBack() throws(ImageError) {
        queue = committedQueue
        dequeued = []
        outputs = []
        deliveredBytes = 0
        frames = []
        for path in changed.keys { live[path] = nil }
        changed = [:]
        try namespace.reload()
    }

    func commit() throws {
        var changes = ObjectChanges()
        changes.revision = revision
        changes.bindings = namespace.newBindings
        changes.settings = namespace.settingChanges
        var saved: Set<[UInt8]> = []
        for (path, guest) in changed {
            let bytes: [UInt8]
            do throws(MessageError) {
                bytes = try guest.saved()
            } catch {
                throw DeliveryFailure(error: error)
            }
            if let key = guest.key {
                changes.states.append((key, bytes))
            } else {
                saved.insert(path)
                changes.objects.append(
                    .init(path: path, kind: .instance, source: .bytes(bytes)))
            }
        }
        for (path, object) in namespace.newObjects where !saved.contains(path) {
            changes.objects.append(object)
        }
        changes.dequeued = dequeued
        changes.enqueued = queue.unsaved.map {
            .init(target: $0.target, sender: $0.sender, bytes: $0.bytes)
        }
        if !changes.isEmpty {
            queue.setKeys(try store.commit(changes))
            statistics.commits += 1
        }
        // All of this is durable now, whatever fails afterwards.
        released += outputs
        outputs = []
        dequeued = []
        deliveredBytes = 0
        namespace.committed()
        committedQueue = queue
        sendToSleep()
        changed = [:]
        for path in saved {
            if let object = try? store.object(at: path) {
                live[path]?.key = object.key
            } else {
                // Loaded again by the next message.
                live[path] = nil
            }
        }
    }

    /// Frees instances that were not called lately.
    func sendToSleep() {
        guard live.count > options.liveInstances else { return }
        live = live.filter { changed[$0.key] != nil }
        if live.count > options.liveInstances { live = [:] }
    }
}
