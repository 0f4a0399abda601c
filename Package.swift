// swift-tools-version: 6.2
import PackageDescription

/// The house, one line a room; an arrow of `docs/architecture.md` is a dependency here.
let package = Package(
    name: "wasmd",
    products: [
        .library(name: "Wasmd", targets: ["Wasmd"]),
        .library(name: "WasmdDocuments", targets: ["WasmdDocuments"]),
        .executable(name: "wasmd", targets: ["wasmd"]),
    ],
    targets: [
        .target(name: "WasmDecoder", path: "Sources/Decoder"),
        .target(name: "WasmValidator", dependencies: ["WasmDecoder"], path: "Sources/Validator"),
        .target(name: "WasmDebugInfo", dependencies: ["WasmDecoder"], path: "Sources/DebugInfo"),
        .target(
            name: "WasmInterpreter",
            dependencies: ["WasmDecoder", "WasmDebugInfo", "WasmValidator"],
            path: "Sources/Interpreter"),
        .target(name: "WasmWASI", dependencies: ["WasmInterpreter"], path: "Sources/WASI"),
        .target(name: "WasmText", dependencies: ["WasmDecoder"], path: "Sources/Text"),
        .target(
            name: "WasmScriptRunner",
            dependencies: ["WasmText", "WasmValidator", "WasmInterpreter"],
            path: "Sources/ScriptRunner"),
        .target(
            name: "WasmdDocuments", path: "Sources/Hosts/Documents",
            swiftSettings: [.strictMemorySafety()]),
        // What embedders import; the command line uses the rooms themselves.
        .target(
            name: "Wasmd", dependencies: ["WasmInterpreter", "WasmText", "WasmWASI"],
            path: "Sources/Embedding"),
        .executableTarget(
            name: "wasmd",
            dependencies: [
                "WasmDecoder", "WasmValidator", "WasmInterpreter", "WasmWASI", "WasmText",
                "WasmScriptRunner", "WasmdDocuments",
            ],
            path: "Sources/wasmd"),

        // The register instruction set is data; the generator turns it into the machine's handlers.
        .target(name: "WasmInstructionSet", path: "Sources/InstructionSet"),
        .executableTarget(
            name: "generate-instructions", dependencies: ["WasmInstructionSet"],
            path: "Sources/GenerateInstructions"),

        // Damages modules and runs what comes out; makes programs to compare with other engines.
        .executableTarget(
            name: "mutations", dependencies: ["WasmInterpreter", "WasmText", "WasmWASI"],
            path: "Tests/Mutations", exclude: ["README.md", "Fuzzing"]),

        // Microseconds of instances: made, forked, restored, saved.
        .executableTarget(
            name: "measure-instances", dependencies: ["WasmInterpreter", "WasmText"],
            path: "Benchmarks/instances"),
        // How fast limits hold, and what they cost.
        .executableTarget(
            name: "measure-limits", dependencies: ["WasmInterpreter", "WasmText", "WasmWASI"],
            path: "Benchmarks/limits"),

        // What calls between Swift and guests cost.
        .executableTarget(
            name: "measure-embedding", dependencies: ["Wasmd"], path: "Benchmarks/embedding"),

        .testTarget(
            name: "DecoderTests", dependencies: ["WasmDecoder"], path: "Tests/DecoderTests"),
        .testTarget(
            name: "DebugInfoTests", dependencies: ["WasmDebugInfo", "WasmDecoder"],
            path: "Tests/DebugInfoTests"),
        .testTarget(name: "TextTests", dependencies: ["WasmText"], path: "Tests/TextTests"),
        .testTarget(
            name: "ValidatorTests", dependencies: ["WasmValidator"], path: "Tests/ValidatorTests"),
        .testTarget(
            name: "InterpreterTests",
            dependencies: ["WasmInterpreter", "WasmInstructionSet", "WasmText"],
            path: "Tests/InterpreterTests"),
        .testTarget(
            name: "HostileTests", dependencies: ["WasmInterpreter", "WasmText", "WasmWASI"],
            path: "Tests/HostileTests"),
        .testTarget(
            name: "EmbeddingTests", dependencies: ["Wasmd"], path: "Tests/EmbeddingTests"),
        .testTarget(
            name: "ScriptRunnerTests", dependencies: ["WasmScriptRunner", "WasmDecoder"],
            path: "Tests/ScriptRunnerTests"),
        .testTarget(
            name: "WASITests", dependencies: ["WasmWASI", "WasmText"], path: "Tests/WASITests"),
        .testTarget(
            name: "DocumentsTests", dependencies: ["WasmdDocuments"],
            path: "Tests/DocumentsTests"),
        .testTarget(
            name: "wasmdTests", dependencies: ["wasmd", "WasmdDocuments"], path: "Tests/wasmdTests"),
    ],
    swiftLanguageModes: [.v6]
)
