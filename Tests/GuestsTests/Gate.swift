import Synchronization
import WasmSystem

/// Holds threads until it is opened.
final class Gate: Sendable {
    private let cell = WordCell()

    func open() { cell.advance() }

    func wait() {
        while cell.value == 0 { cell.wait(while: 0, nanoseconds: 1_000_000_000) }
    }
}
