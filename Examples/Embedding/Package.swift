// swift-tools-version: 6.1
import PackageDescription

/// A program that uses wasmd as a library; each file of `Sources` shows one thing.
///
///     swift run --package-path Examples/Embedding
let package = Package(
    name: "embedding",
    dependencies: [.package(name: "wasmd", path: "../..")],
    targets: [
        .executableTarget(
            name: "embedding", dependencies: [.product(name: "Wasmd", package: "wasmd")],
            path: "Sources")
    ],
    swiftLanguageModes: [.v6]
)
