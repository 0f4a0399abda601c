import WasmdHTTP
import WasmdOperation

extension ModuleSurface {
    /// What requests are for.
    enum Purposes {
        private static let create = Purpose("executor", "/wasm", needs: .write, tenants: .admitted)
        private static let list = Purpose("executor", "/wasm", needs: .read, tenants: .admitted)
        private static let run = Purpose("executor", "/wasm/{id}", needs: .run, tenants: .admitted)
        private static let show = Purpose(
            "executor", "/wasm/{id}", needs: .read, tenants: .admitted)
        private static let change = Purpose(
            "executor", "/wasm/{id}", needs: .write, tenants: .admitted)
        private static let jobs = Purpose("executor", "/jobs", needs: .read, tenants: .admitted)
        private static let job = Purpose("executor", "/jobs/{id}", needs: .read, tenants: .admitted)
        private static let options = Purpose(
            "executor", "(options)", needs: nil, tenants: .admitted)

        static func of(_ route: Route, _ method: Method) -> Purpose {
            if method == .options { return options }
            switch route {
            case .list: return method == .post ? create : list
            case .jobs: return jobs
            case .job: return job
            case .module:
                switch method {
                case .post: return run
                case .put, .delete, .patch: return change
                default: return show
                }
            }
        }
    }

    private static let modulePrefix = Array("/wasm/".utf8)[...]

    /// The route of a path, and the id in it; nil if there is none.
    ///
    /// A module's path in its usual form is compared as it is, which allocates nothing.
    func locate(_ path: ArraySlice<UInt8>) -> (route: Route, id: ArraySlice<UInt8>)? {
        if path.count > 6, path.prefix(6).elementsEqual(Self.modulePrefix) {
            let id = path[(path.startIndex + 6)...]
            // No escape, no dot segment, no further segment.
            let isPlain = id.allSatisfy { $0 != 0x25 && $0 != 0x2e && $0 != 0x2f }
            if isPlain { return (.module, id) }
        }
        guard let path = try? Path(path),
            case .found(let route, let parameters) = router.match(.get, path)
        else { return nil }
        return (route, (parameters["id"] ?? [])[...])
    }
}
