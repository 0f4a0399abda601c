import Testing

@testable import wasmd

/// Modules of a few bytes whose instantiation asks for gigabytes: `--timeout` and `--fuel` end them.
@Suite struct SlowModuleTests {
    private static let run = #"(func (export "_start"))"#

    private static let modules = [
        // 2 GB, and again.
        """
        (module (type $a (array (mut i64)))
          (global (ref $a) (array.new $a (i64.const 5) (i32.const 250000000)))
          (global (ref $a) (array.new $a (i64.const 6) (i32.const 250000000))) \(run))
        """,
        // Tables of 80 MB each, all elements of which are written.
        """
        (module (func $f)
          \(String(repeating: "(table 10000000 (ref func) (ref.func $f))", count: 40)) \(run))
        """,
        // A start function without end.
        "(module (func $f (loop $l (br $l))) (start $f) \(run))",
    ]

    @Test(arguments: modules) func timeRunsOut(text: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("module.wat", Array(text.utf8))
        let start = Statistics.now()
        let result = try wasmd("run", "--timeout", "50ms", file)
        #expect(result.status == 134)
        #expect(result.error.contains("(--timeout)"))
        #expect(!result.error.contains("does not stop"))
        #expect(Statistics.now() - start < 60_000_000_000)
    }

    @Test(arguments: modules) func fuelRunsOut(text: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("module.wat", Array(text.utf8))
        let result = try wasmd("run", "--fuel", "20000", file)
        #expect(result.status == 134)
        #expect(result.error.contains("(--fuel 20000)"))
    }
}
