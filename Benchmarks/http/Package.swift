// swift-tools-version: 6.2
import PackageDescription

/// Measures the HTTP room, damages what it reads, and speaks with other implementations over pipes.
/// `Sources/WasmdHTTP` is a link to the room, so that nothing else of the engine is built.
let package = Package(
    name: "http-tool",
    targets: [
        .target(
            name: "WasmdHTTP", path: "Sources/WasmdHTTP",
            swiftSettings: [.strictMemorySafety()]),
        .executableTarget(
            name: "http-tool", dependencies: ["WasmdHTTP"], path: "Sources/http-tool"),
    ],
    swiftLanguageModes: [.v6]
)
