import Glibc
import Testing
import WasmInterpreter

@Suite struct ThreadTests {
    /// One module, many stores at once: functions are translated once, whoever calls first.
    @Test func modulesAreShared() async throws {
        let engine = Engine()
        var source = TestModule()
        let type = source.type([TestModule.i32], [TestModule.i32])
        for index: UInt8 in 0..<100 {
            // f0 adds 1, the others call the one before and add 1.
            let inner: [UInt8] = index == 0 ? [] : [0x10, index - 1]
            let function = source.function(type: type, [0x20, 0] + inner + [0x41, 1, 0x6a])
            source.export("f\(index)", .function, function)
        }
        let module = try source.module(engine)
        let sums = try await withThrowingTaskGroup(of: Int32.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let store = Store(engine: engine)
                    let instance = try Linker().instantiate(module, in: store)
                    guard let last = instance.function("f99") else { return 0 }
                    return try last(1000 as Int32)
                }
            }
            var sums: [Int32] = []
            for try await sum in group { sums.append(sum) }
            return sums
        }
        #expect(sums == Array(repeating: 1100, count: 8))
    }

    /// Host functions that call guests that call host functions end in a trap, not in a crash,
    /// also on a thread with little native stack.
    @Test func nestingRespectsSmallNativeStacks() {
        let code = onThread(stackByteCount: 256 << 10) { () -> TrapCode? in
            final class Inner { var function: Function?; var depth = 0 }
            let inner = Inner()
            defer { inner.function = nil }
            let store = Store(engine: Engine(), limits: StoreLimits(nestedCalls: 1_000_000))
            let recursive = Function(store: store) { [inner] _, _ in
                // A host function that uses some stack itself.
                try withUnsafeTemporaryAllocation(byteCount: 1000, alignment: 16) { buffer in
                    buffer[inner.depth % 1000] = 1
                    inner.depth += 1
                    try inner.function?()
                }
            }
            inner.function = recursive
            do {
                try recursive()
                return nil
            } catch {
                return inner.depth > 8 ? (error as? Trap)?.code : nil
            }
        }
        #expect(code == .stackExhausted)
    }

    private final class Task: @unchecked Sendable {
        let body: () -> TrapCode?
        var answer: TrapCode?
        init(_ body: @escaping () -> TrapCode?) { self.body = body }
    }

    private func onThread(stackByteCount: Int, _ body: @escaping () -> TrapCode?) -> TrapCode? {
        let task = Task(body)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        guard pthread_attr_setstacksize(&attributes, stackByteCount) == 0 else { return nil }
        var thread = pthread_t()
        let started = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let task = Unmanaged<Task>.fromOpaque(argument).takeUnretainedValue()
                task.answer = task.body()
                return nil
            }, Unmanaged.passUnretained(task).toOpaque())
        guard started == 0 else { return nil }
        pthread_join(thread, nil)
        return task.answer
    }
}
