import WasmDecoder

// Throwing and catching.

extension BodyGenerator {
    /// Catches in a block, or throws what the caller may catch.
    mutating func exceptionStatement() {
        guard let tag = random.element(of: program.tags.indices) else { return objectStatement() }
        if random.oneIn(8) { return throwIf(tag) }
        let payload = program.types[program.tags[tag]].parameters
        let isReferring = random.oneIn(3)
        let caught = payload + (isReferring ? [.exnref] : [])
        guard let type = blockType(Shape(parameters: [], results: caught)) else { return }
        construct(.block, type, branch: caught) { body in
            var clauses: [[UInt8]] = []
            // Something that does not fit may come first, and all the rest last.
            if let other = body.anyTarget(where: { $0.types.isEmpty }), body.random.oneIn(4) {
                let label = UInt8(truncatingIfNeeded: body.branchDepth(other))
                if let empty = body.program.tags.indices.first(where: {
                    body.program.types[body.program.tags[$0]].parameters.isEmpty
                }) {
                    clauses.append([0x00, UInt8(empty), label])
                }
                clauses.append(contentsOf: body.random.oneIn(3) ? [[0x02, label]] : [])
            }
            clauses.append([isReferring ? 0x01 : 0x00, UInt8(tag), 0])
            let table = [0x40] + BinaryWriter.build { $0.vector(clauses) }
            body.construct(.tryTable, table, branch: []) { body in
                body.statements(body.random.between(0...2))
                if body.random.percent(70) { body.throwIf(tag) }
                body.statements(body.random.between(0...2))
            }
            body.values(caught)
        }
        if isReferring, random.oneIn(3) { rethrowIf() }
        consume(caught)
    }

    private mutating func throwIf(_ tag: Int) {
        condition()
        construct(.if, [0x40], branch: []) { body in
            body.values(body.program.types[body.program.tags[tag]].parameters)
            body.code.opcode(.throw, tag)
            body.deadCode([])
        }
    }

    /// Throws the exception on top again, now and then, or leaves it there.
    private mutating func rethrowIf() {
        let local = scratchLocal(.exnref)
        code.opcode(.localTee, local)
        condition()
        construct(.if, [0x40], branch: []) { body in
            body.code.opcode(.localGet, local)
            body.code.opcode(.throwRef)
        }
    }
}
