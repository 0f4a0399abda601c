// Invariant: `words` points at `wordCount` words of a mapping that this object keeps. A child
// writes them, its parent reads; a number that is read while it changes is one of a moment before
// or after.

import Glibc

/// A file in shared memory on which a child process notes how far it is. What is noted stays when
/// the child dies.
final class Board {
    let path: String
    private let words: UnsafeMutablePointer<UInt64>
    private static let wordCount = 64

    /// Opens the board at `path`, or makes it.
    init?(_ path: String) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let byteCount = Self.wordCount * 8
        guard ftruncate(descriptor, off_t(byteCount)) == 0,
            let address = mmap(
                nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
            address != MAP_FAILED
        else { return nil }
        self.path = path
        words = address.bindMemory(to: UInt64.self, capacity: Self.wordCount)
    }

    deinit { munmap(words, Self.wordCount * 8) }

    private func word(_ index: Int) -> Int { Int(truncatingIfNeeded: words[index]) }
    private func setWord(_ index: Int, _ value: Int) {
        words[index] = UInt64(truncatingIfNeeded: value)
    }

    /// The case that is running, or the one behind the last.
    var current: Int {
        get { word(0) }
        set { setWord(0, newValue) }
    }

    /// Microseconds of processor time of the slowest case, and its number.
    var slowest: (microseconds: Int, number: Int) {
        get { (word(1), word(2)) }
        set {
            setWord(1, newValue.microseconds)
            setWord(2, newValue.number)
        }
    }

    var tally: Tally {
        get {
            var result = Tally()
            result.fields = (0..<Tally.fieldCount).map { word(8 + $0) }
            return result
        }
        set {
            for (index, field) in newValue.fields.enumerated() { setWord(8 + index, field) }
        }
    }

    func clear() {
        for index in 0..<Self.wordCount { words[index] = 0 }
    }
}
