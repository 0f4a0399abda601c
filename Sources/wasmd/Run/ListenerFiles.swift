// Invariants: the list of paths is made before handlers are set, and never changed or freed. Code
// that runs in a handler calls only functions that are allowed there.

import WasmSystem

/// Files of unix sockets that must be removed when a signal or the watchdog ends the process.
enum ListenerFiles {
    nonisolated(unsafe) private static var paths: UnsafeBufferPointer<UnsafeMutablePointer<CChar>> =
        .init(start: nil, count: 0)

    /// Sets handlers that remove the files, for signals whose default action ends the process.
    static func removeAtSignals(_ files: [Word]) {
        guard !files.isEmpty, paths.isEmpty else { return }
        let list = UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>>
            .allocate(capacity: files.count)
        for (index, file) in files.enumerated() {
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: file.bytes.count + 1)
            for (place, byte) in file.bytes.enumerated() { copy[place] = CChar(bitPattern: byte) }
            copy[file.bytes.count] = 0
            list[index] = copy
        }
        paths = UnsafeBufferPointer(list)
        let signals = [Signals.interrupt, Signals.termination, Signals.hangup, Signals.quit]
        // With a signal that is ignored or already handled, the process ends in order.
        for number in signals where Signals.disposition(of: number) == .standard {
            Signals.handle(number, once: true) { number in
                ListenerFiles.remove()
                Signals.reset(number)
                Signals.raise(number)
            }
        }
    }

    /// Removes the files now.
    static func remove() {
        for path in paths { try? Kernel.unlink(path) }
    }
}
