// Invariants: the list of paths is made before handlers are set, and never changed or freed. What runs
// in a handler calls only what may be called there.

import WasmSystem

/// Files of unix sockets that have to go when a signal ends the process, or the watchdog does.
enum ListenerFiles {
    nonisolated(unsafe) private static var paths: UnsafeBufferPointer<UnsafeMutablePointer<CChar>> =
        .init(start: nil, count: 0)

    /// Removes files when a signal ends the process that does not when this is called.
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
        // Who ignores a signal, or handles it, ends in order.
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
