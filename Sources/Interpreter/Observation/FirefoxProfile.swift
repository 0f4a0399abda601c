extension Profile {
    /// The profile in the processed format of the Firefox Profiler: JSON that profiler.firefox.com
    /// opens, also with stacks, lines and a flame chart.
    ///
    /// - Parameters:
    ///   - product: what ran, for the heading.
    ///   - moduleFile: the file of the main module.
    ///
    /// Format: version 61 (docs-developer/CHANGELOG-formats.md of the Firefox Profiler), which newer
    /// versions of the page take as well.
    public func firefoxProfile(product: String, moduleFile: String) -> String {
        FirefoxProfile(self, product: product, moduleFile: moduleFile).text
    }
}

/// Puts a profile into the tables of the format, which refer to each other by index.
private struct FirefoxProfile {
    private static let version = 61

    private let profile: Profile
    private let product: String
    private let moduleFile: String

    // Tables of distinct things, in the order in which they were met.
    private var strings = Table<String>()
    private var functions = Table<FunctionRow>()
    private var sources = Table<Int>()
    private var resources = Table<String>()

    private struct FunctionRow: Hashable {
        var name: Int
        var resource: Int
        var source: Int?
    }

    private struct Table<Row: Hashable> {
        var rows: [Row] = []
        private var numbers: [Row: Int] = [:]

        mutating func number(of row: Row) -> Int {
            if let known = numbers[row] { return known }
            numbers[row] = rows.count
            rows.append(row)
            return rows.count - 1
        }
    }

    init(_ profile: Profile, product: String, moduleFile: String) {
        self.profile = profile
        self.product = product
        self.moduleFile = moduleFile
    }

    /// Indices into the list of categories.
    private enum Category {
        static let guest = 1
        static let host = 2
    }

    var text: String {
        var copy = self
        return copy.write()
    }

    private mutating func write() -> String {
        let functionOfFrame = profile.frames.map { frame in
            functions.number(
                of: FunctionRow(
                    name: strings.number(of: frame.function),
                    resource: frame.kind == .host
                        ? -1 : resources.number(of: frame.module ?? moduleName),
                    source: frame.location.map {
                        sources.number(of: strings.number(of: $0.path))
                    }))
        }
        let resourceNames = resources.rows.map { strings.number(of: $0) }
        var json = JSONText()
        json.object {
            $0.member("meta") { meta(&$0) }
            $0.member("libs") { libraries(&$0) }
            $0.member("threads") { json in
                json.array { $0.element { thread(&$0) } }
            }
            $0.member("shared") { json in
                json.object {
                    $0.member("stackTable") { stackTable(&$0) }
                    $0.member("frameTable") { frameTable(&$0, functionOfFrame) }
                    $0.member("funcTable") { functionTable(&$0) }
                    $0.member("resourceTable") { resourceTable(&$0, resourceNames) }
                    $0.member("nativeSymbols") {
                        $0.table(0, ["libIndex", "address", "name", "functionSize"]) { _, _ in nil }
                    }
                    $0.member("sources") { sourceTable(&$0) }
                    $0.member("stringArray") { json in
                        json.array { json in
                            for string in strings.rows { json.element { $0.string(string) } }
                        }
                    }
                }
            }
        }
        return json.text
    }

    private var moduleName: String {
        moduleFile.split(separator: "/").last.map(String.init) ?? moduleFile
    }

    private func meta(_ json: inout JSONText) {
        let categories = [("Other", "grey"), ("WebAssembly", "orange"), ("Host", "blue")]
        json.object { json in
            json.member("version") { $0.number(24) }
            json.member("preprocessedProfileVersion") { $0.number(Self.version) }
            json.member("interval") { $0.milliseconds(profile.interval) }
            json.member("startTime") { $0.milliseconds(profile.wallClockStart) }
            json.member("processType") { $0.number(0) }
            json.member("product") { $0.string(product) }
            json.member("importedFrom") { $0.string("wasmd") }
            json.member("stackwalk") { $0.number(1) }
            json.member("symbolicated") { $0.literal("true") }
            json.member("usesOnlyOneStackType") { $0.literal("true") }
            json.member("sourceCodeIsNotOnSearchfox") { $0.literal("true") }
            json.member("markerSchema") { $0.array { _ in } }
            json.member("categories") { json in
                json.array { json in
                    for (name, color) in categories {
                        json.element { json in
                            json.object {
                                $0.member("name") { $0.string(name) }
                                $0.member("color") { $0.string(color) }
                                $0.member("subcategories") { json in
                                    json.array { $0.element { $0.string("Other") } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private func libraries(_ json: inout JSONText) {
        json.array { json in
            for name in resources.rows {
                let path = name == moduleName ? moduleFile : name
                json.element { json in
                    json.object {
                        $0.member("arch") { $0.string("wasm32") }
                        $0.member("name") { $0.string(name) }
                        $0.member("path") { $0.string(path) }
                        $0.member("debugName") { $0.string(name) }
                        $0.member("debugPath") { $0.string(path) }
                        $0.member("breakpadId") { $0.string("") }
                        $0.member("codeId") { $0.literal("null") }
                    }
                }
            }
        }
    }

    private func thread(_ json: inout JSONText) {
        json.object { json in
            json.member("name") { $0.string(moduleName) }
            json.member("isMainThread") { $0.literal("true") }
            json.member("processType") { $0.string("default") }
            json.member("processName") { $0.string(product) }
            json.member("processStartupTime") { $0.number(0) }
            json.member("processShutdownTime") { $0.milliseconds(profile.duration) }
            json.member("registerTime") { $0.number(0) }
            json.member("unregisterTime") { $0.milliseconds(profile.duration) }
            json.member("pausedRanges") { $0.array { _ in } }
            json.member("pid") { $0.string("1") }
            json.member("tid") { $0.number(1) }
            json.member("markers") {
                $0.table(
                    0, ["data", "name", "startTime", "endTime", "phase", "category"]
                ) { _, _ in nil }
            }
            json.member("samples") { json in
                let samples = profile.samples
                json.object { json in
                    json.member("length") { $0.number(samples.count) }
                    json.member("weightType") { $0.string("tracing-ms") }
                    json.column("stack", samples.count) {
                        samples[$0].stack < 0 ? nil : Int(samples[$0].stack)
                    }
                    for (name, value) in [("time", \Sample.time), ("weight", \Sample.weight)] {
                        json.member(name) { json in
                            json.array { json in
                                for sample in samples {
                                    json.element { $0.milliseconds(sample[keyPath: value]) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private typealias Sample = Profile.Sample

    private func stackTable(_ json: inout JSONText) {
        let stacks = profile.stacks
        json.table(stacks.count, ["frame", "prefix"]) { column, row in
            column == "frame" ? stacks[row].frame : stacks[row].caller
        }
    }

    private func frameTable(_ json: inout JSONText, _ functionOfFrame: [Int]) {
        let columns = [
            "address", "inlineDepth", "category", "subcategory", "func", "nativeSymbol",
            "innerWindowID", "line", "column",
        ]
        json.table(profile.frames.count, columns) { column, row in
            let frame = profile.frames[row]
            switch column {
            case "address": return frame.offset ?? -1
            case "inlineDepth": return frame.kind == .inlined ? 1 : 0
            case "category": return frame.kind == .host ? Category.host : Category.guest
            case "subcategory": return 0
            case "func": return functionOfFrame[row]
            case "line": return frame.location?.line
            case "column": return frame.location.flatMap { $0.column > 0 ? $0.column : nil }
            default: return nil
            }
        }
    }

    private func functionTable(_ json: inout JSONText) {
        let rows = functions.rows
        json.object { json in
            json.member("length") { $0.number(rows.count) }
            json.column("name", rows.count) { rows[$0].name }
            for name in ["isJS", "relevantForJS"] {
                json.member(name) { json in
                    json.array { json in
                        for _ in rows { json.element { $0.literal("false") } }
                    }
                }
            }
            json.column("resource", rows.count) { rows[$0].resource }
            json.column("source", rows.count) { rows[$0].source }
            json.column("lineNumber", rows.count) { _ in nil }
            json.column("columnNumber", rows.count) { _ in nil }
        }
    }

    private func resourceTable(_ json: inout JSONText, _ names: [Int]) {
        json.table(names.count, ["lib", "name", "host", "type"]) { column, row in
            switch column {
            case "lib": row
            case "name": names[row]
            // A library.
            case "type": 1
            default: nil
            }
        }
    }

    private func sourceTable(_ json: inout JSONText) {
        let rows = sources.rows
        let columns = ["id", "filename", "startLine", "startColumn", "sourceMapURL"]
        json.table(rows.count, columns) { column, row in
            switch column {
            case "filename": rows[row]
            case "startLine", "startColumn": 1
            default: nil
            }
        }
    }
}
