import Testing
import WasmSystem

@testable import WasmdImages

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func content(_ count: Int, _ seed: Int) -> [UInt8] {
    (0..<max(count, 0)).map { UInt8(truncatingIfNeeded: seed &+ $0 &* 7 &+ $0 >> 8) }
}

/// All that an image has, to be compared.
struct Contents: Equatable {
    struct Object: Equatable {
        var kind: ObjectKind
        var bytes: [UInt8]
    }
    var objects: [[UInt8]: Object] = [:]
    var messages: [QueuedMessage] = []
    var bindings: [ImageBinding] = []
    var links: [ImageLink] = []

    init(_ image: Image) throws {
        self = try image.read { (view) throws(ImageError) in
            var contents = Contents()
            for object in try view.objects() {
                contents.objects[object.path] = Object(
                    kind: object.kind, bytes: try view.bytes(of: object.key))
                contents.links += try view.links(from: object.key)
            }
            contents.messages = try view.messages()
            contents.bindings = try view.bindings()
            return contents
        }
    }

    init() {}
}

enum Fixture {
    static let name = bytes("/x.simg")

    static func options(
        pageSize: Int = 512, cachePages: Int = 1000, gathers: Bool = false
    ) -> Image.Options {
        var options = Image.Options()
        options.hasSettler = false
        options.gatherTime = gathers ? 10_000_000_000 : 0
        options.pageSize = pageSize
        options.cacheBytes = cachePages * pageSize
        return options
    }

    static func create(
        _ disk: MemoryDisk, pageSize: Int = 512, cachePages: Int = 1000, gathers: Bool = false
    ) throws -> Image {
        try Image.create(
            name, options(pageSize: pageSize, cachePages: cachePages, gathers: gathers), disk)
    }

    static func open(_ disk: MemoryDisk, pageSize: Int = 512) throws -> Image {
        try Image(path: name, options(pageSize: pageSize), disk)
    }
}
