import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// Answers requests by the programs and files of a folder: `FOLDER/NAME.wasm` serves `/NAME` and the
/// paths below it, `index.wasm` its folder, `[id].wasm` any segment, `[...rest].wasm` all other paths
/// of its folder, and files in `FOLDER/public` are sent as they are.
///
/// Before a request is routed, the folder is examined for changes (see `CheckBudget`), on a thread
/// of the pool: one call of the kernel for each module and four for each folder. Notifications of the
/// kernel (inotify) would cost less, but are missing on network file systems and bound mounts of
/// containers, and need a watch for each folder.
public final class FolderHandler: Sendable {
    /// Makes a program of an open file. Blocks; called on a thread of the pool.
    ///
    /// - Throws: `WebProgram.Refusal`, or an error whose description says why.
    public typealias Loader =
        @Sendable (_ descriptor: Int32, _ path: [[UInt8]]) throws -> ServedProgram

    private final class State: Sendable {
        let tree: FolderTree
        let modules: [ServedModule]
        let hasStaticFiles: Bool
        let notices: [FolderNotice]

        init(
            _ tree: FolderTree, _ modules: [ServedModule], hasStaticFiles: Bool,
            _ notices: [FolderNotice]
        ) {
            self.tree = tree
            self.modules = modules
            self.hasStaticFiles = hasStaticFiles
            self.notices = notices
        }
    }

    let runner: ProgramRunner
    let load: Loader
    private let path: [UInt8]
    private let notice: @Sendable (FolderNotice) -> Void
    private let state: Mutex<State>
    private let budget = Mutex(CheckBudget())

    /// How often the folder is examined while no request comes.
    private static let interval = Duration.seconds(1)

    /// Reads the folder. Blocks.
    ///
    /// - Parameters:
    ///   - path: of the folder.
    ///   - notice: is told what cannot be served, and what changes.
    /// - Throws: why the folder cannot be read.
    public init(
        _ path: [UInt8], _ runner: ProgramRunner, load: @escaping Loader,
        notice: @escaping @Sendable (FolderNotice) -> Void
    ) throws(SystemError) {
        self.path = path
        self.runner = runner
        self.load = load
        self.notice = notice
        let scan = try FolderScan(try OpenFolder(path))
        state = Mutex(
            State(
                scan.tree, scan.files.map(ServedModule.init), hasStaticFiles: scan.hasStaticFiles,
                scan.notices))
        for entry in scan.notices { notice(entry) }
    }

    /// Loads all modules, and then examines the folder from time to time; returns when all modules
    /// were tried.
    public func start(on loop: EventLoop) async {
        await loadOutdated(on: loop)
        loop.spawn { [self] in
            while (try? await loop.sleep(for: Self.interval)) != nil {
                if await examine(on: loop) { await loadOutdated(on: loop) }
            }
        }
    }

    /// The number of modules.
    public var moduleCount: Int { state.withLock { $0.modules.count } }

    /// The folder as it is now: its path may lead to another one than before.
    func root() throws(SystemError) -> OpenFolder { try OpenFolder(path) }

    func notify(_ entry: FolderNotice) { notice(entry) }

    private func loadOutdated(on loop: EventLoop) async {
        for module in state.withLock({ $0 }).modules where module.isOutdated {
            _ = await module.current(of: self, isPatient: true, on: loop)
        }
    }

    // MARK: Changes

    /// Examines the folder if it is time to; returns whether it did.
    private func examine(on loop: EventLoop) async -> Bool {
        guard budget.withLock({ $0.begin(SystemClock.monotonic.now) }) else { return false }
        let scan = try? await loop.blocking { [self] in
            let start = SystemClock.threadCPUTime.now
            let scan = Result { () throws(SystemError) in try FolderScan(root()) }
            return (scan, SystemClock.threadCPUTime.now &- start)
        }
        switch scan?.0 {
        case .success(let scan)?: take(scan)
        case .failure(let error)?: lose(error)
        case nil: break
        }
        budget.withLock { $0.end(cost: scan?.1 ?? 0) }
        return true
    }

    private func take(_ scan: FolderScan) {
        var notices: [FolderNotice] = []
        state.withLock { state in
            var known: [[[UInt8]]: ServedModule] = [:]
            for module in state.modules { known[module.path] = module }
            var modules: [ServedModule] = []
            modules.reserveCapacity(scan.files.count)
            for file in scan.files {
                if let module = known.removeValue(forKey: file.path) {
                    module.update(file)
                    modules.append(module)
                } else {
                    modules.append(ServedModule(file))
                    notices.append(.added(file.path))
                }
            }
            notices += known.keys.map { .removed($0) }
            notices += scan.notices.filter { !state.notices.contains($0) }
            state = State(
                scan.tree, modules, hasStaticFiles: scan.hasStaticFiles, scan.notices)
        }
        for entry in notices { notice(entry) }
    }

    /// The folder cannot be read: what is known is served on.
    private func lose(_ error: SystemError) {
        let isNew = state.withLock { state in
            guard !state.notices.contains(.lost(error)) else { return false }
            state = State(
                state.tree, state.modules, hasStaticFiles: state.hasStaticFiles,
                state.notices + [.lost(error)])
            return true
        }
        if isNew { notice(.lost(error)) }
    }

    // MARK: Requests

    /// Answers a request; a handler of `HTTPServer`.
    public func answer(_ request: ServerRequest, _ response: ServerResponse) async throws {
        if request.target.form == .asterisk { return try await ProgramHandler.options(response) }
        let path: Path
        do throws(Path.Fault) {
            path = try Path(request.target.path)
        } catch {
            return try await response.respond(.badRequest, "The path is malformed.\n")
        }
        let isFresh = await examine(on: request.loop)
        let state = state.withLock { $0 }
        let match = state.tree.match(path)
        if case .program(let found) = match, found.isExact {
            return try await answer(request, response, path, found, state, isPatient: isFresh)
        }
        let own =
            match == .nothing ? await ownRoute(path, request, state, isPatient: isFresh) : nil
        if state.hasStaticFiles {
            let files = StaticFiles { [self] in try? root().folder(FolderScan.staticName) }
            let isAlone = match == .nothing && own == nil
            do {
                if try await files.answer(request, response, path, isAlone: isAlone) { return }
            } catch LoopError.tooManyCalls {
                return try await ProgramRefusal.busy("Too many files are being read", response)
            }
        }
        switch match {
        case .program(let found):
            try await answer(request, response, path, found, state, isPatient: isFresh)
        case .folderWithoutSlash:
            try await StaticFiles.redirect(path, request, response)
        case .nothing:
            guard let own else {
                return try await response.respond(.notFound, "Nothing is served at this path.\n")
            }
            try await runner.answer(request, response, with: own.program.program, at: own.route)
        }
    }

    /// The route that the index of a folder on the way names itself.
    private func ownRoute(
        _ path: Path, _ request: ServerRequest, _ state: State, isPatient: Bool
    ) async -> (program: WebProgram, route: ProgramRoute)? {
        for index in state.tree.indexes(on: path) {
            let module = state.modules[index.program]
            guard
                case .program(let program) = await module.current(
                    of: self, isPatient: isPatient, on: request.loop),
                program.hasRoute(path, after: index.segmentCount)
            else { continue }
            let raw = request.target.rawPath
            let base = ProgramRoute(
                path, raw: raw, scriptSegments: index.segmentCount, pattern: index.pattern)
            return (
                program, program.route(path, raw: raw, base: base, segments: index.segmentCount)
            )
        }
        return nil
    }

    private func answer(
        _ request: ServerRequest, _ response: ServerResponse, _ path: Path,
        _ found: FolderTree.Found, _ state: State, isPatient: Bool
    ) async throws {
        let module = state.modules[found.program]
        switch await module.current(of: self, isPatient: isPatient, on: request.loop) {
        case .refused(let reason):
            try await response.respond(
                .internalServerError, "The program cannot be served: \(reason)\n")
        case .program(let program):
            let raw = request.target.rawPath
            let base =
                found.isIndex
                ? ProgramRoute(
                    index: path, raw: raw, pattern: found.pattern, parameters: found.parameters)
                : ProgramRoute(
                    path, raw: raw, scriptSegments: found.segmentCount, pattern: found.pattern,
                    parameters: found.parameters)
            let route = program.route(path, raw: raw, base: base, segments: found.segmentCount)
            try await runner.answer(request, response, with: program.program, at: route)
        }
    }
}
