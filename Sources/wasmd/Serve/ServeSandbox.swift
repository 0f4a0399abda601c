import WasmSystem
import WasmWASI
import WasmdDocuments

/// The order in which `wasmd serve` starts: what it needs is opened, then the kernel restricts the
/// process, then the first thread starts. See `StartOrder`.
struct ServeSandbox {
    private let sandbox: Sandbox?
    /// What is served, for messages.
    private let file: String
    private let confinement: @Sendable () -> Confinement

    init(_ options: ServeOptions) {
        self.init(options.sandbox, file: options.run.file) {
            let path = options.run.path
            let status = try? Kernel.status(path.cString, followsLink: true)
            return .serving(
                status?.kind == .directory ? [path.bytes] : [],
                folders: options.run.folders.map { ($0.hostPathBytes, $0.isReadOnly) })
        }
    }

    /// - Parameter confinement: asked for when everything is open.
    init(
        _ sandbox: Sandbox?, file: String,
        confinement: @escaping @Sendable () -> Confinement
    ) {
        self.sandbox = sandbox
        self.file = file
        self.confinement = confinement
    }

    /// Runs both steps, with the restrictions between them.
    ///
    /// - Parameters:
    ///   - spawner: starts the process that executes programs, if one is needed.
    ///   - threads: is told what the kernel enforces.
    func start<Site, Listeners>(
        opening: () throws -> (Site, Listeners), spawner: () throws -> Void = {},
        threads: (Site, Listeners, AppliedSandbox) throws -> Void
    ) throws {
        guard let sandbox else {
            let (site, listeners) = try opening()
            return try threads(site, listeners, AppliedSandbox(report: nil))
        }
        do {
            try StartOrder.run(
                configuration: {},
                opening: { _ in try opening() },
                spawner: { _ in try spawner() },
                restrictions: { _, _ in confinement() },
                threads: { opened, _, report in
                    try check(report, sandbox)
                    try threads(opened.0, opened.1, AppliedSandbox(report: report))
                })
        } catch let failure as Confinement.Failure {
            throw Refusal(
                file: file, reason: "cannot be restricted: \(failure)",
                hint: "--no-sandbox serves without the kernel's restrictions.")
        }
    }

    private func check(_ report: Confinement.Report, _ sandbox: Sandbox) throws(Refusal) {
        guard !report.isWhole, sandbox == .strict else { return }
        throw Refusal(
            file: file, reason: "--sandbox=strict: \(report)",
            hint: "Leave out 'strict' to serve with what the kernel has.")
    }
}

/// What the kernel enforces for a process that serves, as `/healthz` and `/admin/status` say it.
struct AppliedSandbox: Sendable, CustomStringConvertible {
    /// Nil for `--no-sandbox`.
    let report: Confinement.Report?

    /// `Landlock 6: files, TCP ports; system calls`, or `off`.
    var description: String { report.map { "\($0)" } ?? "off" }

    /// Prints it, when the server serves: why it does not is the only line otherwise.
    func tell() {
        let isPart = report.map { !$0.isWhole } ?? false
        ServeMessages.write(
            isPart ? "this kernel restricts the server only in part: \(self)" : "sandbox: \(self)")
    }

    var document: Document {
        guard let report else { return .object([.init("on", .boolean(false))]) }
        let landlock = report.landlock
        return .object([
            .init("on", .boolean(true)), .init("whole", .boolean(report.isWhole)),
            .init("landlock", .integer(Int64(landlock.version))),
            .init("files", .boolean(landlock.files)), .init("ports", .boolean(landlock.ports)),
            .init("scopes", .boolean(landlock.scopes)),
            .init("system_calls", .boolean(report.calls)),
        ])
    }
}
