import Testing
import WasmSystem
import WasmdEventLoop

/// What every test needs: a loop that runs a body on a thread of the test.
func onLoop<Success: Sendable>(
    _ body: sending @escaping (EventLoop) async throws -> Success
) throws -> Success {
    try EventLoop().run(body)
}

struct EventLoopTests {
    @Test func runReturnsWhatTheBodyReturns() throws {
        #expect(try onLoop { _ in 42 } == 42)
        #expect(throws: LoopError.timedOut) { try onLoop { _ in throw LoopError.timedOut } }
    }
}
