/// What a file is that is easily taken for a module, by its first bytes.
public enum FileFormat: Hashable, Sendable, CaseIterable {
    case empty
    case gzip, zip, zstandard, xz, bzip2
    case elf, machO, windowsProgram
    /// A program of a script language: `#!`.
    case script
    /// LLVM's intermediate code, which `clang -emit-llvm` writes.
    case bitcode
    /// A library of objects: `.a`.
    case archive
    /// A component of the component model.
    case component
    case utf16, utf32
    /// UTF-8 that begins with a byte order mark.
    case byteOrderMark
    case html

    /// Nil for modules, texts, and everything that is not known.
    public init?(_ start: some Collection<UInt8>) {
        let start = Array(start.prefix(16))
        func starts(_ bytes: UInt8...) -> Bool { start.starts(with: bytes) }
        switch true {
        case start.isEmpty: self = .empty
        case starts(0x1f, 0x8b): self = .gzip
        case starts(0x50, 0x4b, 3, 4), starts(0x50, 0x4b, 5, 6): self = .zip
        case starts(0x28, 0xb5, 0x2f, 0xfd): self = .zstandard
        case starts(0xfd, 0x37, 0x7a, 0x58, 0x5a): self = .xz
        case starts(0x42, 0x5a, 0x68): self = .bzip2
        case starts(0x7f, 0x45, 0x4c, 0x46): self = .elf
        case starts(0xcf, 0xfa, 0xed, 0xfe), starts(0xca, 0xfe, 0xba, 0xbe): self = .machO
        case starts(0x4d, 0x5a): self = .windowsProgram
        case starts(0x23, 0x21): self = .script
        case starts(0x42, 0x43, 0xc0, 0xde): self = .bitcode
        case starts(0x21, 0x3c, 0x61, 0x72, 0x63, 0x68, 0x3e): self = .archive
        case starts(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0): self = .component
        case starts(0xff, 0xfe, 0, 0), starts(0, 0, 0xfe, 0xff): self = .utf32
        case starts(0xff, 0xfe), starts(0xfe, 0xff): self = .utf16
        case starts(0xef, 0xbb, 0xbf): self = .byteOrderMark
        // A text without a mark: every other byte of its ASCII characters is zero.
        case start.count >= 4 && start[0] != 0 && start[1] == 0 && start[2] != 0 && start[3] == 0,
            start.count >= 4 && start[0] == 0 && start[1] == 0x28 && start[2] == 0:
            self = .utf16
        case starts(0x3c, 0x21), starts(0x3c, 0x68): self = .html
        default: return nil
        }
    }

    /// `this is gzip, not a module: unpack it with gunzip first`
    public var message: String {
        switch self {
        case .empty: "the file is empty"
        case .gzip: "this is gzip, not a module: unpack it with gunzip first"
        case .zip: "this is a zip archive, not a module: unpack it with unzip first"
        case .zstandard: "this is zstd, not a module: unpack it with unzstd first"
        case .xz: "this is xz, not a module: unpack it with unxz first"
        case .bzip2: "this is bzip2, not a module: unpack it with bunzip2 first"
        case .elf: "this is an ELF file (a native program), not a module: compile for wasm32"
        case .machO: "this is a Mach-O file (a native program), not a module: compile for wasm32"
        case .windowsProgram: "this is a program for Windows, not a module: compile for wasm32"
        case .script: "this is a script, not a module"
        case .bitcode: "this is LLVM bitcode, not a module: compile it with clang --target=wasm32"
        case .archive: "this is a library of objects, not a module: link it first"
        case .component: "this is a component; wasmd runs core modules"
        case .utf16: "this is text in UTF-16; convert it first: iconv -f UTF-16 -t UTF-8"
        case .utf32: "this is text in UTF-32; convert it first: iconv -f UTF-32 -t UTF-8"
        case .byteOrderMark:
            "this begins with a byte order mark, which the text format does not allow: save it as "
                + "UTF-8 without one"
        case .html: "this is HTML, not a module"
        }
    }
}

extension ModuleBytes {
    /// What the file is, if it is no module but something that is easily taken for one.
    public var foreignFormat: FileFormat? {
        FileFormat(self[ByteRange(start: 0, end: 16)])
    }
}
