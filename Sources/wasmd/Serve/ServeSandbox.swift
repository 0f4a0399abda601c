import WasmSystem
import WasmWASI

/// The order in which `wasmd serve` starts: what it needs is opened, then the kernel restricts the
/// process, then the first thread starts. See `StartOrder`.
struct ServeSandbox {
    private let options: ServeOptions

    init(_ options: ServeOptions) { self.options = options }

    /// Runs both steps, with the restrictions between them.
    func start<Site, Listeners>(
        opening: () throws -> (Site, Listeners), threads: (Site, Listeners) throws -> Void
    ) throws {
        guard let sandbox = options.sandbox else {
            let (site, listeners) = try opening()
            return try threads(site, listeners)
        }
        do {
            try StartOrder.run(
                configuration: {},
                opening: { _ in try opening() },
                // It starts no program.
                spawner: { _ in },
                restrictions: { _, _ in confinement },
                threads: { opened, _, report in
                    try check(report, sandbox)
                    try threads(opened.0, opened.1)
                })
        } catch let failure as Confinement.Failure {
            throw Refusal(
                file: options.run.file, reason: "cannot be restricted: \(failure)",
                hint: "--no-sandbox serves without the kernel's restrictions.")
        }
    }

    private func check(_ report: Confinement.Report, _ sandbox: Sandbox) throws(Refusal) {
        if report.isWhole { return }
        guard sandbox != .strict else {
            throw Refusal(
                file: options.run.file, reason: "--sandbox=strict: \(report)",
                hint: "Leave out 'strict' to serve with what the kernel has.")
        }
        ServeMessages.write("this kernel restricts the server only in part: \(report)")
    }

    private var confinement: Confinement {
        let path = options.run.path
        let status = try? Kernel.status(path.cString, followsLink: true)
        return .serving(
            status?.kind == .directory ? [path.bytes] : [],
            folders: options.run.folders.map { ($0.hostPathBytes, $0.isReadOnly) })
    }
}
