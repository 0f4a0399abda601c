/// Messages that wait, in the order of their arrival.
struct MessageQueue {
    struct Message {
        /// In the image; nil if the image does not have it yet.
        var key: Int64?
        /// The path of the receiver: that of an object, or as the sender wrote it.
        var target: [UInt8]
        /// Nil for a message from outside.
        var sender: [UInt8]?
        var bytes: [UInt8]
        /// What the bytes say, if they were made or read before.
        var envelope: Envelope?
        /// The client's request that is told if the image cannot keep the message.
        var request: Int64?

        /// What it counts for in limits: its bytes, and about what else it takes in memory.
        var byteCount: Int { bytes.count + target.count + 256 }
    }

    /// What waits for a receiver.
    struct Load {
        var count = 0
        var bytes = 0
    }

    private var items: [Message?] = []
    private var head = 0
    private var loads: [[UInt8]: Load] = [:]
    private(set) var count = 0
    /// What all messages count for.
    private(set) var byteCount = 0

    var isEmpty: Bool { count == 0 }

    /// What waits for a receiver.
    func load(of target: [UInt8]) -> Load { loads[target] ?? Load() }

    mutating func append(_ message: Message) {
        items.append(message)
        loads[message.target, default: Load()].count += 1
        loads[message.target, default: Load()].bytes += message.byteCount
        count += 1
        byteCount += message.byteCount
    }

    mutating func popFirst() -> Message? {
        while head < items.count {
            let message = items[head]
            items[head] = nil
            head += 1
            if head > 1024, head * 2 > items.count {
                items.removeFirst(head)
                head = 0
            }
            if let message {
                removed(message)
                return message
            }
        }
        return nil
    }

    /// The first message for a receiver.
    mutating func popFirst(for target: [UInt8]) -> Message? {
        guard load(of: target).count > 0 else { return nil }
        for index in head..<items.count {
            guard let message = items[index], message.target == target else { continue }
            items[index] = nil
            removed(message)
            return message
        }
        return nil
    }

    private mutating func removed(_ message: Message) {
        count -= 1
        byteCount -= message.byteCount
        var left = load(of: message.target)
        left.count -= 1
        left.bytes -= message.byteCount
        loads[message.target] = left.count > 0 ? left : nil
    }

    /// Messages that the image does not have, and a way to note their keys.
    var unsaved: [Message] { items[head...].compactMap { $0?.key == nil ? $0 : nil } }

    /// Removes the messages of clients that the image does not have.
    ///
    /// - Returns: the numbers of their requests.
    mutating func withdraw() -> [Int64] {
        var requests: [Int64] = []
        for index in head..<items.count {
            guard let message = items[index], message.key == nil, let request = message.request
            else { continue }
            items[index] = nil
            removed(message)
            requests.append(request)
        }
        return requests
    }

    mutating func setKeys(_ keys: [Int64]) {
        var rest = keys[...]
        for index in head..<items.count where items[index] != nil && items[index]?.key == nil {
            guard let key = rest.popFirst() else { return }
            items[index]?.key = key
        }
    }
}
