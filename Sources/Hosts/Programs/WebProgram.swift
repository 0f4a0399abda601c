import WasmInterpreter
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP

/// A program with the routes that it names itself.
public struct WebProgram: Sendable {
    /// Why a module cannot be served.
    public struct Refusal: Error, Equatable, Sendable {
        public let reason: String

        public init(_ reason: String) { self.reason = reason }
    }

    public let program: ServedProgram
    let routes: ModuleRoutes?

    /// A program that serves all its paths by `_start`.
    public init(_ program: ServedProgram) {
        self.program = program
        routes = nil
    }

    /// Asks the module for its routes, if it exports `_routes`.
    ///
    /// - Throws: `Refusal` if `_routes` fails, or names functions that are not exported.
    public init(_ program: ServedProgram, with runner: ProgramRunner, on loop: EventLoop)
        async throws
    {
        self.program = program
        guard program.module.export("_routes")?.kind == .function else {
            routes = nil
            return
        }
        let (result, output) = try await runner.output(
            of: "_routes", of: program, limit: Self.outputLimit, on: loop)
        guard result.outcome.kind == .succeeded else {
            throw Refusal("its function _routes failed: \(result.outcome)")
        }
        do throws(ModuleRoutes.Fault) {
            routes = try ModuleRoutes(output)
        } catch {
            throw Refusal("_routes, line \(error.line): \(error.reason)")
        }
        for function in routes?.functions ?? [] {
            guard program.module.export(function)?.kind == .function else {
                throw Refusal("_routes names \(function), which is no exported function")
            }
        }
    }

    /// The most bytes of `_routes`.
    private static let outputLimit = 65_536

    /// Whether one of the module's own routes leads to a path.
    func hasRoute(_ path: Path, after count: Int) -> Bool {
        routes?.match(path.segments[count...], isFolder: path.isFolder) != nil
    }

    /// The route of a path that leads to this program.
    ///
    /// - Parameters:
    ///   - base: what leads to the program.
    ///   - count: how many segments those are.
    func route(
        _ path: Path, raw: ArraySlice<UInt8>, base: ProgramRoute, segments count: Int
    ) -> ProgramRoute {
        guard let routes,
            let found = routes.match(path.segments[count...], isFolder: path.isFolder)
        else { return base }
        var prefix = base.pattern
        if prefix.suffix(4).elementsEqual("/...".utf8) { prefix.removeLast(4) }
        if prefix.last == UInt8(ascii: "/") { prefix.removeLast() }
        var route = ProgramRoute(
            path, raw: raw, scriptSegments: count + found.count, pattern: prefix + found.pattern,
            parameters: base.parameters)
        route.function = found.function
        return route
    }
}
