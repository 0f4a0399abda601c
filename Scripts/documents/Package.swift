// swift-tools-version: 6.2
import PackageDescription

/// Reads and writes documents for `Scripts/compare-documents`, which compares them with Python's.
let package = Package(
    name: "documents",
    dependencies: [.package(name: "wasmd", path: "../..")],
    targets: [
        .executableTarget(
            name: "documents",
            dependencies: [.product(name: "WasmdDocuments", package: "wasmd")],
            swiftSettings: [.strictMemorySafety()])
    ],
    swiftLanguageModes: [.v6]
)
