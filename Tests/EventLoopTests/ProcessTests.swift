import Testing
import WasmSystem
import WasmdEventLoop

@Suite struct ProcessTests {
    @Test func aProgramReadsAndWritesItsPipes() throws {
        let bytes = [UInt8](repeating: 65, count: 300_000)
        let result = try onLoop { loop in
            let child = try LoopProcess(
                "/bin/cat", [Array("cat".utf8)], input: .piped, output: .piped, on: loop)
            let input = try #require(child.input)
            loop.spawn {
                try? await input.write(bytes)
                try? input.finishWriting()
            }
            let output = try await readAll(try #require(child.output))
            return (output, try await child.wait(), try await child.wait())
        }
        #expect(result.0 == bytes)
        #expect(result.1 == .status(0))
        #expect(result.2 == .status(0))
    }

    @Test func theEndOfAProgramIsTold() throws {
        let ends = try onLoop { loop in
            let script = "echo told >&2; exit 7"
            let child = try LoopProcess(
                "/bin/sh", [Array("sh".utf8), Array("-c".utf8), Array(script.utf8)],
                error: .piped, on: loop)
            let text = try await readAll(try #require(child.error))
            let sleeper = try LoopProcess(
                "/bin/sleep", [Array("sleep".utf8), Array("1000".utf8)], on: loop)
            try sleeper.send(Signals.termination)
            return (text, try await child.wait(), try await sleeper.wait())
        }
        #expect(ends.0 == Array("told\n".utf8))
        #expect(ends.1 == .status(7))
        #expect(ends.2 == .signal(Signals.termination))
    }

    @Test func aProgramThatWasWaitedForLeavesNoDescriptor() throws {
        let counts = try onLoop { loop in
            let before = loop.descriptorCount
            do {
                let child = try LoopProcess("/bin/true", [Array("true".utf8)], on: loop)
                _ = try await child.wait()
            }
            await loop.yield()
            return (before, loop.descriptorCount)
        }
        #expect(counts.0 == counts.1)
    }

    @Test func aMissingProgramIsReported() throws {
        #expect(throws: SystemError.noent) {
            try onLoop { loop in _ = try LoopProcess("/nowhere/x", [], on: loop) }
        }
    }

    @Test func signalsArriveAsValues() throws {
        let number = try onLoop { loop in
            let signals = try SignalStream([Signals.firstUser], on: loop)
            let waiting = loop.spawn { try? await signals.next() }
            await loop.yield()
            // To this thread: another one may not have it blocked.
            Signals.raise(Signals.firstUser)
            let number = await waiting.value
            signals.close()
            Signals.unblock([Signals.firstUser])
            return number
        }
        #expect(number == Signals.firstUser)
    }
}
