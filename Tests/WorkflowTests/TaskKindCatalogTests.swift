import BIDS
import Testing
import Workflow

@Suite struct TaskKindCatalogTests {
    @Test func declarationsAreConsistent() {
        #expect(Set(TaskKindCatalog.kinds.map(\.name)).count == TaskKindCatalog.kinds.count)
        for kind in TaskKindCatalog.kinds {
            #expect(!kind.scopes.isEmpty, "\(kind.name)")
            #expect(kind.version > 0 && kind.timeoutSeconds > 0, "\(kind.name)")
            #expect(Set(kind.inputs.map(\.name)).count == kind.inputs.count, "\(kind.name)")
            #expect(Set(kind.outputs.map(\.name)).count == kind.outputs.count, "\(kind.name)")
            #expect(Set(kind.parameters.map(\.name)).count == kind.parameters.count, "\(kind.name)")
            for parameter in kind.parameters {
                let problem = parameter.problem(with: parameter.defaultValue)
                #expect(problem == nil, "\(kind.name).\(parameter.name): \(problem ?? "")")
                #expect(parameter.summary.hasSuffix("."), "\(kind.name).\(parameter.name)")
            }
            for port in kind.inputs + kind.outputs { #expect(port.summary.hasSuffix("."), "\(kind.name).\(port.name)") }
        }
    }

    @Test func recordsAreCheckedEntryByEntry() throws {
        let filters = try #require(TaskKindCatalog.kind("radiomics.extract")?.parameter("filters"))
        #expect(
            filters.problem(with: [["filter": "log", "sigma_mm": 3, "dimensions": 2], ["filter": "wavelet"]]) == nil)
        let bad: [(JSONValue, String)] = [
            (["filter": "log"], "must be a list of maps"),
            (["log"], "has as entry 1 a text"),
            ([["filter": "wavelet"], ["sigma_mm": 3]], "has in entry 2 no filter"),
            ([["filter": "lag"]], "did you mean log?"),
            ([["filter": "log"]], "without sigma_mm"),
            ([["filter": "log", "sigma_mm": 3, "cutof": 4]], "did you mean cutoff?"),
            ([["filter": "log", "sigma_mm": 0]], "sigma_mm must lie between"),
            ([["filter": "log", "sigma_mm": 3, "dimensions": 4]], "dimensions must lie between"),
        ]
        for (value, words) in bad {
            let problem = try #require(filters.problem(with: value))
            #expect(problem.contains(words), "\(problem)")
        }
        guard case .records(let key, let shapes) = filters.values else {
            Issue.record("filters are no records")
            return
        }
        #expect(Set(shapes.map(\.name)).count == shapes.count)
        for shape in shapes {
            #expect(shape.summary.hasSuffix("."))
            #expect(Set(shape.parameters.map(\.name)).count == shape.parameters.count && shape.parameter(key) == nil)
            for parameter in shape.parameters where !parameter.defaultValue.isNull {
                #expect(parameter.problem(with: parameter.defaultValue) == nil, "\(shape.name) \(parameter.name)")
            }
        }
    }

    @Test func formatsFitWhereTheBytesDo() {
        for format in TaskPort.Format.allCases {
            #expect(format.fits(format))
            #expect(format.fits(.file))
        }
        #expect(TaskPort.Format.mask.fits(.volume))
        #expect(!TaskPort.Format.volume.fits(.mask))
        #expect(!TaskPort.Format.table.fits(.json))
        #expect(!TaskPort.Format.json.fits(.transform))
    }

    @Test func theSchemaKnowsEveryKindPortAndParameter() throws {
        let schema = WorkflowSchema.json()
        let step = try #require(schema["$defs"]?["step"])
        #expect(step["properties"]?["kind"]?["enum"]?.arrayValue?.count == TaskKindCatalog.kinds.count)
        let rules = try #require(step["allOf"]?.arrayValue)
        for kind in TaskKindCatalog.kinds {
            let rule = try #require(
                rules.first { $0["if"]?["properties"]?["kind"]?["const"] == .string(kind.name) }?["then"])
            let inputs = rule["properties"]?["inputs"]
            #expect(Set(inputs?["properties"]?.objectValue?.keys ?? [:].keys) == Set(kind.inputs.map(\.name)))
            let required = Set(inputs?["required"]?.arrayValue?.compactMap(\.stringValue) ?? [])
            #expect(required == Set(kind.inputs.filter(\.cardinality.isRequired).map(\.name)))
            let parameters = rule["properties"]?["parameters"]?["properties"]
            #expect(Set(parameters?.objectValue?.keys ?? [:].keys) == Set(kind.parameters.map(\.name)))
        }
        #expect(try JSONValue.parse(schema.canonicalData) == schema)
    }
}
