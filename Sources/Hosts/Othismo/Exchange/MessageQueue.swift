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
    }

    private var items: [Message?] = []
    private var head = 0
    private var counts: [[UInt8]: Int] = [:]
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// How many messages wait for a receiver.
    func count(for target: [UInt8]) -> Int { counts[target] ?? 0 }

    mutating func append(_ message: Message) {
        items.append(message)
        counts[message.target, default: 0] += 1
        count += 1
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
        guard count(for: target) > 0 else { return nil }
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
        let left = count(for: message.target) - 1
        counts[message.target] = left > 0 ? left : nil
    }

    /// Messages that the image does not have, and a way to note their keys.
    var unsaved: [Message] { items[head...].compactMap { $0?.key == nil ? $0 : nil } }

    mutating func setKeys(_ keys: [Int64]) {
        var rest = keys[...]
        for index in head..<items.count where items[index] != nil && items[index]?.key == nil {
            guard let key = rest.popFirst() else { return }
            items[index]?.key = key
        }
    }
}
