import Testing

@testable import Coordinator

@Suite struct HTTPMetricsTests {
    @Test func writesTheTextFormat() {
        var page = PrometheusText()
        page.add("a_total", .counter, "Help.", 3)
        page.add("b", .gauge, "Text.", [([("name", "x\"y\\z\n")], 0.5)])
        page.addHistogram("c", "Times.", bounds: [1, 2], [([("r", "/")], counts: [1, 0, 2], sum: 7.5)])
        #expect(
            page.text == """
                # HELP a_total Help.
                # TYPE a_total counter
                a_total 3
                # HELP b Text.
                # TYPE b gauge
                b{name="x\\"y\\\\z\\n"} 0.5
                # HELP c Times.
                # TYPE c histogram
                c_bucket{r="/",le="1.0"} 1
                c_bucket{r="/",le="2.0"} 1
                c_bucket{r="/",le="+Inf"} 3
                c_sum{r="/"} 7.5
                c_count{r="/"} 3

                """)
    }

    @Test func requestsFallIntoBuckets() {
        let telemetry = Telemetry()
        for seconds in [0.0005, 0.001, 0.3, 100] {
            telemetry.request(method: "GET", route: "/", status: 200, seconds: seconds)
        }
        let histogram = telemetry.snapshot.requests.values.first
        #expect(histogram?.counts.reduce(0, +) == 4)
        #expect(histogram?.counts.first == 2)
        #expect(histogram?.counts.last == 1)
    }
}
