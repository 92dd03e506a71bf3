import { describeLabRows } from '../support/lab-rows.ts';

describeLabRows('redirect');
