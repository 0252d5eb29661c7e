export { type DownloadProgress, type FetchOptions, fetchModel } from './fetch-model';
