import HTTPTypes
import Hummingbird
import Wire

/// The index of datasets.
func datasetRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    [
        APIRoute(
            .post, "/v1/datasets", .operators, operation: "indexDataset", tag: "datasets",
            summary: "Indexes a dataset and its derivatives, or brings the index up to date.",
            body: .json("IndexRequest"), answers: [.init(200, .json("IndexReport"), "What was found.")], errors: [422]
        ) { request, _ in
            let body = try await request.decoded(as: IndexRequest.self)
            try body.check()
            return try .json(try await parts.index.index(body))
        },
        APIRoute(
            .get, "/v1/datasets", .readers, operation: "listDatasets", tag: "datasets",
            summary: "The datasets of the index.", answers: [.init(200, .json("DatasetList"), "All of them.")]
        ) { _, _ in try .json(DatasetList(datasets: try await parts.store.indexedDatasets())) },
    ]
}

package struct DatasetList: Codable, Sendable { package var datasets: [IndexReport.Dataset] }
