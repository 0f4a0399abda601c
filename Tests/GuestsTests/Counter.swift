import Synchronization

/// Counts, on any thread.
final class Counter: Sendable {
    private let count = Atomic<Int32>(0)

    func next() -> Int32 { count.add(1, ordering: .relaxed).newValue }
    var value: Int32 { count.load(ordering: .relaxed) }
}
