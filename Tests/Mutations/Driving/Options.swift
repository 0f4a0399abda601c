/// What the command line asks for.
struct Options {
    enum Mode {
        /// Runs mutants in child processes.
        case mutate
        /// Runs one case in this process, or only writes its module.
        case single(Int)
        /// Writes the modules of the cases.
        case dump
        /// Writes random programs.
        case generate(Int)
        /// Runs the modules as they are and prints what their functions return.
        case execute
        /// A child process: runs a range of cases and notes on a board how far it is.
        case work(board: String, Range<Int>)
    }

    var mode = Mode.mutate
    var layer = Layer.running
    var cases = 100_000
    var first = 0
    var seed: UInt64 = 1
    var jobs = 2
    /// Seconds that a case may take.
    var timeLimit = 20
    /// Runs the modules as they are, one a case.
    var isUnchanged = false
    var output: String?
    var paths: [String] = []

    static let usage = """
        Usage: mutations [OPTION...] FILE|FOLDER...

        Damages modules in many ways and runs what comes out. Every case must end in an error,
        a trap or a result. Prints the cases that did not and ends with 1 if there were any.

          --layer NAME    what to exercise (default: running):
                          \(Layer.allCases.map(\.rawValue).joined(separator: ", "))
                          (text and script start from .wat and .wast files, the rest
                          from .wasm files and the modules in those; json, toml,
                          bson, form, multipart and names from documents of their own and from
                          files with that ending)
          --cases N       run N cases (default: 100000)
          --first K       start with case K (default: 0)
          --seed S        another seed, other cases (default: 1)
          --jobs N        child processes at a time (default: 2)
          --time-limit N  seconds that one case may take (default: 20)
          --unchanged     run the modules as they are under the same limits, one a case
          --case K        run only case K, in this process
          --write FILE    with --case: only write its module
          --mutants DIR   only write the modules of all cases, to a folder
          --generate N    write N random valid programs instead, to the folder --output names
          --output DIR    where --generate writes <number>a.wasm, and for some programs a second
                          module, <number>b.wasm, that imports from the first as from "a"
          --execute       run the exported functions of the given modules, print what they return;
                          what a module imports from "a" is the module's before it
        """

    /// Nil if the arguments are wrong.
    init?(_ arguments: [String]) {
        var rest = arguments[...]
        var range: (Int, Int)?
        var board: String?
        while let argument = rest.popFirst() {
            switch argument {
            case "--execute": mode = .execute
            case "--mutants":
                mode = .dump
                output = rest.popFirst()
            case "--layer":
                guard let named = rest.popFirst().flatMap(Layer.init(rawValue:)) else { return nil }
                layer = named
            case "--unchanged": isUnchanged = true
            case "--write", "--output": output = rest.popFirst()
            case "--board": board = rest.popFirst()
            case _ where argument.hasPrefix("--"):
                guard let number = rest.popFirst().flatMap({ Int($0) }), number >= 0 else {
                    return nil
                }
                switch argument {
                case "--cases": cases = number
                case "--first": first = number
                case "--seed": seed = UInt64(number)
                case "--jobs": jobs = max(1, number)
                case "--time-limit": timeLimit = max(1, number)
                case "--case": mode = .single(number)
                case "--generate": mode = .generate(number)
                case "--from": range = (number, range?.1 ?? number)
                case "--to": range = (range?.0 ?? 0, number)
                default: return nil
                }
            default: paths.append(argument)
            }
        }
        if let board, let range, range.0 <= range.1 {
            mode = .work(board: board, range.0..<range.1)
        }
        if case .generate = mode { return }
        if paths.isEmpty, layer != .differential, !layer.isDocument { return nil }
    }
}
