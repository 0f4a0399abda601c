// An object that counts, as counter.c.

nonisolated(unsafe) var count: Int64 = 0

func receive(_ message: Message) {
    guard message.answered == 0 else { return }
    if let add = message["counter.add"] { count += add.document?["by"]?.integer ?? 1 }
    message.reply { reply in
        reply.document("counter.value") { $0.integer("value", count) }
    }
}
