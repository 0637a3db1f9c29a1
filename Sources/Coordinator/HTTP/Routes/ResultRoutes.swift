import HTTPTypes
import Hummingbird
import NIOCore
import Wire

/// The views of the results, streamed as tables.
func resultRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    [
        APIRoute(
            .get, "/v1/runs/{run}/results/{view}", .readers, operation: "readResults", tag: "results",
            summary: "One of the documented views, for one run.",
            parameters: [
                .path("run", WireSchemas.run), .path("view", .choice(Store.resultViews)),
                .query("format", .choice(["json", "csv", "tsv"])),
            ], answers: [.init(200, .table, "All rows, in a stable order.")], errors: [404]
        ) { request, context in
            let run = try context.run()
            let view = try context.name("view")
            guard Store.resultViews.contains(view) else {
                throw APIFailure.notFound(
                    "There is no view “\(view)”; there are \(Store.resultViews.joined(separator: ", ")).")
            }
            let query = try QueryValues(request, known: ["format"])
            let format = try query.value("format", "json, csv or tsv") { ResultFormat(rawValue: $0) } ?? .json
            _ = try await parts.existing(run: run)
            let rows = try await parts.store.copyResults(view: view, run: run, format: format)
            // Awaited before the answer begins: what goes wrong at the start can still be said.
            var iterator = rows.makeAsyncIterator()
            let first = try await iterator.next() ?? []
            let body = ResponseBody { writer in
                try await writer.write(ByteBuffer(bytes: first))
                for try await piece in rows { try await writer.write(ByteBuffer(bytes: piece)) }
                try await writer.finish(nil)
            }
            return Response(status: .ok, headers: [.contentType: format.mediaType], body: body)
        },
        APIRoute(
            .get, "/v1/runs/{run}/digest", .readers, operation: "digestResults", tag: "results",
            summary: "SHA-256 over all measurements of a run in a fixed order: equal digests, equal results.",
            parameters: [.path("run", WireSchemas.run)],
            answers: [.init(200, .json("ResultDigest"), "The digest.")], errors: [404]
        ) { _, context in
            let run = try context.run()
            _ = try await parts.existing(run: run)
            return try .json(ResultDigest(digest: try await parts.store.measurementDigest(run: run)))
        },
    ]
}
