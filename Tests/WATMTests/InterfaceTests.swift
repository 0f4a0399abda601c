import Testing
import WasmInterpreter

@testable import WasmdWATM

@Suite struct InterfaceTests {
    private func report(_ body: String) throws -> TransportReport {
        TransportReport(try module("(module \(body))"))
    }

    @Test func aWholeModuleHasAllRoles() throws {
        let report = TransportReport(try module(GuestText().text))
        #expect(report.version == .v0)
        #expect(report.roles == [.dial, .listen, .relay])
        #expect(report.faults.isEmpty)
        #expect(report.warnings.isEmpty)
    }

    /// The marker is a function in one kit and a global in the other.
    @Test func onlyTheNameOfTheMarkerCounts() throws {
        var guest = GuestText()
        guest.marker = "(global (export \"_water_v0\") i32 (i32.const 0))"
        #expect(TransportReport(try module(guest.text)).isUsable)
    }

    @Test func versionsAreDetectedByExports() throws {
        #expect(try report("").faults == [.noVersion])
        #expect(try report("(func (export \"_water_v1\"))").version == .preview)
        #expect(try report("(global (export \"V1\") i32 (i32.const 0))").version == .olderPreview)
        #expect(try report("(func (export \"v1_listen\"))").version == .preview)
        #expect(try report("(func (export \"watm_start_v1\"))").version == .v1)
        // The older generation has no prefix.
        #expect(try report("(func (export \"_init\") (param i32))").version == nil)
    }

    @Test func eachMandatoryExportIsChecked() throws {
        let found = try report(
            """
            (func (export "_water_v0")) (func (export "_water_init"))
            (memory (export "_water_worker") 1)
            (func (export "_water_dial") (param i32) (result i32) (i32.const 0))
            (func (export "_water_accept") (param i64) (result i32) (i32.const 0))
            """)
        #expect(
            found.faults == [
                .wrongType("_water_init", found: "() -> ()", expected: "() -> (i32)"),
                .missing("_water_cancel_with(i32) -> (i32)"),
                .notAFunction("_water_worker"),
            ])
        #expect(found.roles == [.dial])
        #expect(
            found.warnings == [
                .wrongType("_water_accept", found: "(i64) -> (i32)", expected: "(i32) -> (i32)"),
                .unimplemented(.relay, "_water_associate() -> (i32)"),
            ])
    }

    @Test func aModuleWithoutRolesIsNoTransport() throws {
        let found = try report(
            """
            (func (export "_water_v0")) (func (export "_water_init") (result i32) (i32.const 0))
            (func (export "_water_cancel_with") (param i32) (result i32) (i32.const 0))
            (func (export "_water_worker") (result i32) (i32.const 0))
            """)
        #expect(found.faults == [.noRole])
    }

    @Test func unknownImportsAreFaults() throws {
        var guest = GuestText()
        guest.imports = "(import \"env\" \"host_dials\" (func))"
        let found = TransportReport(try module(guest.text))
        #expect(found.faults.count == 1)
        guard case .unresolved? = found.faults.first else {
            Issue.record("\(found.faults)")
            return
        }
        #expect(throws: TransportError.self) { try guest.transport() }
    }

    @Test func importsHaveTypes() throws {
        let found = try report(
            """
            (import "env" "host_dial" (func (param i32) (result i32)))
            (func (export "_water_v0"))
            (func (export "_water_init") (result i32) (i32.const 0))
            (func (export "_water_cancel_with") (param i32) (result i32) (i32.const 0))
            (func (export "_water_worker") (result i32) (i32.const 0))
            (func (export "_water_dial") (param i32) (result i32) (i32.const 0))
            """)
        #expect(found.faults.count == 1)
    }

    @Test func aMissingRoleIsAnErrorForItsUseOnly() throws {
        let text = """
            (module
              (func (export "_water_v0")) (func (export "_water_init") (result i32) (i32.const 0))
              (func (export "_water_cancel_with") (param i32) (result i32) (i32.const 0))
              (func (export "_water_worker") (result i32) (i32.const 0))
              (func (export "_water_dial") (param i32) (result i32) (i32.const 0)))
            """
        let transport = try Transport(module(text))
        #expect(throws: Never.self) { try transport.check(.dial) }
        #expect(throws: TransportError.self) { try transport.check(.listen) }
        #expect(throws: TransportError.self) { try transport.check(.run) }
    }

    /// Numbers mean different things in the two kits.
    @Test func numbersHaveBothReadings() {
        #expect(GuestNumber(-2).text == "-2 (EACCES, or \"invalid argument\" in the Rust kit)")
        #expect(GuestNumber(-28).text == "-28 (EINVAL)")
        #expect(GuestNumber(-3).text == "-3 (\"invalid configuration\" in the Rust kit)")
        #expect(GuestNumber(-1000).text == "-1000 (no error of either kit)")
        #expect(GuestNumber(5).text == "5")
        #expect(GuestNumber(.min).text.hasPrefix("-2147483648"))
        for clean in [0, 7, -11, -64] as [Int32] { #expect(GuestNumber(clean).isCleanEnd) }
        for fault in [-1, -28, -53] as [Int32] { #expect(!GuestNumber(fault).isCleanEnd) }
    }
}
