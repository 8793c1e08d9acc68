export { useDataStream, type ChartPoint, type DataStream, type DataStreamOptions } from "./useDataStream.js";
export { useCsvData, type CsvCandle, type CsvData, type CsvDataOptions } from "./useCsvData.js";
export type { QuflxSocket } from "./socket.js";
