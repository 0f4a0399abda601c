import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdEventLoop
import WasmdGuests

/// A module in a served folder: its newest version that could be loaded, and what became of later
/// ones.
final class ServedModule: Sendable {
    enum Current: Sendable {
        case program(WebProgram)
        /// No version could be loaded; why.
        case refused(String)
    }

    private struct State: Sendable {
        /// The version of the file that was seen last.
        var seen: FileVersion
        var isSettled: Bool
        /// The version of `program` or `reason`, whichever was tried last.
        var tried: FileVersion?
        var program: WebProgram?
        var reason: String?
        var loading: LoopTask<Void>?
    }

    /// Names on the way to the file.
    let path: [[UInt8]]
    private let state: Mutex<State>

    init(_ file: FolderScan.File) {
        path = file.path
        state = Mutex(State(seen: file.version, isSettled: file.isSettled))
    }

    /// Takes over what an examination of the folder found.
    func update(_ file: FolderScan.File) {
        state.withLock { state in
            // A version that was tried before it was settled is tried again, once.
            if file.isSettled, !state.isSettled, state.tried == file.version { state.tried = nil }
            state.seen = file.version
            state.isSettled = file.isSettled
        }
    }

    /// Whether the file was changed since it was loaded.
    var isOutdated: Bool { state.withLock { $0.tried != $0.seen } }

    /// What to serve.
    ///
    /// - Parameter isPatient: whether to wait for a version that is not loaded yet although there is
    ///   an older one.
    func current(
        of folder: FolderHandler, isPatient: Bool, on loop: EventLoop
    ) async -> Current {
        let task = state.withLock { state -> LoopTask<Void>? in
            guard state.tried != state.seen else { return nil }
            if let loading = state.loading { return loading }
            let task = loop.spawn { [self] in await load(of: folder, on: loop) }
            state.loading = task
            return task
        }
        if let task, isPatient || !hasProgram { await task.value }
        return state.withLock { state in
            if let program = state.program { return .program(program) }
            return .refused(state.reason ?? "it is being written")
        }
    }

    private var hasProgram: Bool { state.withLock { $0.program != nil } }

    /// Loads the newest version. The one before is kept if that fails.
    private func load(of folder: FolderHandler, on loop: EventLoop) async {
        let read: Read
        do {
            read = try await loop.blocking { [path] in try Self.read(path, folder) }
        } catch let failure as Failure {
            return take(.failure(failure.refusal), failure.version, isSettled: true, folder)
        } catch {
            // The server stops, or is short of threads: the next request tries again.
            return state.withLock { $0.loading = nil }
        }
        do {
            let program = try await WebProgram(read.program, with: folder.runner, on: loop)
            take(.success(program), read.version, isSettled: read.isSettled, folder)
        } catch let refusal as WebProgram.Refusal {
            take(.failure(refusal), read.version, isSettled: read.isSettled, folder)
        } catch {
            state.withLock { $0.loading = nil }
        }
    }

    /// A version that was read.
    private struct Read: Sendable {
        let program: ServedProgram
        let version: FileVersion
        let isSettled: Bool
    }

    /// A version that cannot be served; nil if the file was changed while it was read.
    private struct Failure: Error {
        let version: FileVersion?
        let refusal: WebProgram.Refusal
    }

    /// Reads and validates the file. Blocks.
    private static func read(_ path: [[UInt8]], _ folder: FolderHandler) throws -> Read {
        var version: FileVersion?
        do {
            let file = try folder.root().open(path)
            let status = try Kernel.status(file.number)
            let seen = FileVersion(status)
            version = seen
            let isSettled = seen.isSettled(at: SystemClock.realtime.now)
            guard status.kind == .regular else { throw WebProgram.Refusal("it is no file") }
            let result = Result { try folder.load(file.number, path) }
            // What was read while somebody wrote to the file is neither valid nor a fault.
            guard FileVersion(try Kernel.status(file.number)) == seen else {
                throw Failure(version: nil, refusal: WebProgram.Refusal("it is being written"))
            }
            return Read(program: try result.get(), version: seen, isSettled: isSettled)
        } catch let failure as Failure {
            throw failure
        } catch let refusal as WebProgram.Refusal {
            throw Failure(version: version, refusal: refusal)
        } catch let error as SystemError {
            throw Failure(version: version, refusal: WebProgram.Refusal(error.text))
        } catch {
            throw Failure(version: version, refusal: WebProgram.Refusal("\(error)"))
        }
    }

    private func take(
        _ result: Result<WebProgram, WebProgram.Refusal>, _ version: FileVersion?,
        isSettled: Bool, _ folder: FolderHandler
    ) {
        let notice = state.withLock { state -> FolderNotice? in
            state.loading = nil
            guard let version else { return nil }
            let isFirst = state.tried == nil && state.program == nil && state.reason == nil
            // The file may have been changed since it was seen: what was read is newer.
            state.seen = version
            state.tried = version
            state.isSettled = isSettled
            switch result {
            case .success(let program):
                let isSame =
                    state.program?.program.module.fingerprint == program.program.module.fingerprint
                let wasRefused = state.reason != nil
                state.reason = nil
                if isSame, !wasRefused { return nil }
                state.program = program
                return isFirst ? nil : .changed(path)
            case .failure(let refusal):
                let isNew = state.reason != refusal.reason
                state.reason = refusal.reason
                guard isNew else { return nil }
                return .refused(
                    path, reason: refusal.reason, keepsOld: state.program != nil)
            }
        }
        if let notice { folder.notify(notice) }
    }
}
